"""What `mini` is taught: questions, how people phrase them, and the answers.

A `Line` is one thing that can be said (or typed) to the model, with the answer it should give.
Everything random takes a `random.Random`, so a seed fixes the corpus.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from voicechat.verdict import Verdict

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
DIGITS = UNITS[:10]

NOT_UNDERSTOOD = "I did not understand that. You can ask me a sum, tell me digits to repeat, or ask who I am."
NO_QUESTION = "I heard no question."
# Behind a mark (voicechat/verdict.py) stands what is said if nothing better comes.
UNFINISHED = Verdict.UNFINISHED.value + "Go on, I am listening."
LISTENING = Verdict.ASIDE.value + "Mm."
NOTHING = Verdict.ASIDE.value + NO_QUESTION
LETTERS = Verdict.OPEN.value + "I hear letters, but I only know numbers."


@dataclass(frozen=True, slots=True)
class Line:
    """One thing said to the model. `said` is what the speaker utters, pauses as commas."""

    skill: str
    said: str
    answer: str

    @property
    def words(self) -> str:
        """The transcript: lower-case words, no punctuation."""
        return " ".join(self.said.replace(",", " ").split())


def in_words(number: int) -> str:
    """A whole number from -999 to 999 in English words: 56 -> "fifty-six"."""
    if number < 0:
        return "minus " + in_words(-number)
    if number < 20:
        return UNITS[number]
    if number < 100:
        ten, unit = divmod(number, 10)
        return TENS[ten] + (f"-{UNITS[unit]}" if unit else "")
    hundred, rest = divmod(number, 100)
    return f"{UNITS[hundred]} hundred" + (f" and {in_words(rest)}" if rest else "")


# ---- sums ------------------------------------------------------------------------------------

SUM_PHRASES = (
    "what is {}", "what is {}", "what is {}", "what's {}", "what's {}", "{}", "{}", "{} please",
    "how much is {}", "how much is {}", "calculate {}", "compute {}", "tell me {}", "work out {}",
    "can you tell me what {} is", "do you know what {} is", "please tell me what {} is",
    "what does {} make", "please calculate {}", "can you work out {}", "so what is {}",
    "and what is {}", "what do you get for {}", "tell me what {} is", "i want to know what {} is",
    "could you calculate {}", "hello what is {}", "what is {} please", "solve {}", "how about {}",
)  # fmt: skip
OPERATORS = {
    "plus": ("plus", "plus", "plus", "plus", "and", "added to"),
    "minus": ("minus", "minus", "minus", "minus", "take away"),
    "times": ("times", "times", "times", "times", "multiplied by"),
}


def result_of(left: int, operator: str, right: int) -> int:
    return {"plus": left + right, "minus": left - right, "times": left * right}[operator]


def sum_answer(left: int, operator: str, right: int) -> str:
    result = in_words(result_of(left, operator, right))
    return f"{in_words(left).capitalize()} {operator} {in_words(right)} is {result}."


def a_sum(rng: random.Random) -> Line:
    left, right = rng.randint(0, 12), rng.randint(0, 12)
    operator = rng.choice(tuple(OPERATORS))
    spoken = f"{in_words(left)} {rng.choice(OPERATORS[operator])} {in_words(right)}"
    said = rng.choice(SUM_PHRASES).format(spoken)
    return Line("sums", said, sum_answer(left, operator, right))


# ---- digits ----------------------------------------------------------------------------------

DIGIT_PHRASES = (
    "{}", "{}", "{}", "{}", "repeat {}", "repeat {}", "repeat {}", "repeat after me {}", "say {}",
    "please repeat {}", "my number is {}", "my phone number is {}", "the number is {}",
    "the code is {}", "can you repeat {}", "call {}", "please say {}", "it is {}", "dial {}",
    "my code is {}", "could you repeat {}", "say after me {}",
)  # fmt: skip


def digits_answer(digits: list[int]) -> str:
    return Verdict.OPEN.value + "You said " + " ".join(DIGITS[d] for d in digits) + "."


def some_digits(rng: random.Random) -> Line:
    count = rng.choice((2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8))
    digits = [rng.randint(0, 9) for _ in range(count)]
    if rng.random() < 0.3:  # runs of the same digit are the hard case: make them common
        at = rng.randrange(count - 1)
        digits[at + 1] = digits[at]
    oh = rng.random() < 0.25
    spoken = ["oh" if d == 0 and oh else DIGITS[d] for d in digits]
    if rng.random() < 0.4 and count > 3:  # said in groups, as a phone number is
        for at in range(rng.choice((2, 3)), count, rng.choice((2, 3, 4))):
            spoken[at - 1] += ","
    return Line("digits", rng.choice(DIGIT_PHRASES).format(" ".join(spoken)), digits_answer(digits))


LETTER_PHRASES = (
    "{}", "{}", "{}", "my name is {}", "my name is spelled {}", "that is {}", "it is spelled {}", "i spell it {}",
    "the letters are {}", "spelled {}",
)  # fmt: skip


def some_letters(rng: random.Random) -> Line:
    """A name that is spelled."""
    letters = [rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 7))]
    if rng.random() < 0.3 and len(letters) > 3:
        letters[rng.randrange(1, len(letters) - 1)] += ","
    return Line("letters", rng.choice(LETTER_PHRASES).format(" ".join(letters)), LETTERS)


# ---- visitors' questions ---------------------------------------------------------------------

VISITORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "hello": ("Hello! Ask me something.", (
        "hello", "hi", "hello there", "hi there", "good morning", "good evening", "hey",
        "hey there", "good afternoon", "hello computer", "good day")),
    "name": ("I am mini, a small voice that listens.", (
        "who are you", "what are you", "what is your name", "what's your name",
        "tell me your name", "tell me who you are", "who am i talking to", "do you have a name",
        "please tell me your name", "who is this", "introduce yourself")),
    "skills": ("I can add, subtract and multiply, repeat digits, and tell you about myself.", (
        "what can you do", "what can i ask you", "how can you help me", "help", "help me",
        "what do you know", "what can i say", "what are you good at", "can you help me",
        "tell me what you can do", "what can i ask")),
    "maker": ("I was trained from nothing by the people who wrote this program.", (
        "who made you", "who built you", "who trained you", "who created you", "who wrote you",
        "where do you come from", "who is your maker", "who are your makers", "who programmed you")),
    "privacy": ("No. Your voice stays on this machine.", (
        "is my voice sent anywhere", "do you record me", "is my voice recorded",
        "are you recording me", "who can hear me", "where does my voice go", "is this private",
        "do you send my voice anywhere", "is this recorded", "do you keep my voice",
        "are you listening to me all the time")),
    "joke": ("Why did the microphone blush? It heard everything.", (
        "tell me a joke", "tell a joke", "do you know a joke", "make me laugh", "say something funny",
        "can you tell me a joke", "another joke", "tell me another joke", "a joke please",
        "do you know any jokes")),
    "thanks": ("You are welcome.", (
        "thank you", "thanks", "thank you very much", "thanks a lot", "many thanks",
        "that is very kind", "thank you so much", "great thank you", "okay thank you")),
    "bye": ("Goodbye! Come back soon.", (
        "goodbye", "bye", "bye bye", "see you later", "see you soon", "good night",
        "that is all goodbye", "i have to go", "i have to go now", "see you tomorrow")),
    "stop": ("Okay.", (
        "stop", "stop it", "be quiet", "quiet please", "stop talking", "please stop", "okay stop",
        "stop please", "that is enough", "shut up", "enough")),
    "well": ("I am well, thank you.", (
        "how are you", "how are you today", "how do you do", "are you well", "how is it going",
        "how are you doing", "are you okay", "how do you feel", "how are things")),
    "hearing": ("Yes, I hear you.", (
        "can you hear me", "do you hear me", "are you there", "are you listening", "testing",
        "is this on", "hello can you hear me", "is anybody there", "did you hear me",
        "is this thing on")),
    "working": ("I turn your sound into numbers, and numbers into words.", (
        "how do you work", "how does this work", "how do you do that", "what is inside you",
        "how do you understand me", "explain how you work", "how does it work",
        "how can you understand me")),
    "human": ("No. I am a machine.", (
        "are you human", "are you a human", "are you real", "are you a real person",
        "are you a person", "are you a robot", "are you a machine", "are you alive",
        "are you a computer", "am i talking to a person")),
    "language": ("Only English, I am afraid.", (
        "what languages do you speak", "which languages do you speak", "do you speak french",
        "do you speak german", "do you speak spanish", "can you speak another language",
        "what languages do you know", "do you only speak english")),
    "interrupt": ("Yes. Just start to speak, and I fall silent.", (
        "can i interrupt you", "may i interrupt you", "how do i interrupt you",
        "can i interrupt", "what if i interrupt you", "am i allowed to interrupt you",
        "how do i stop you", "can i stop you")),
    "network": ("No. I need no network.", (
        "do you need the internet", "do you need a network", "are you online",
        "are you connected to the internet", "do you work offline", "are you in the cloud",
        "do you need the cloud", "are you on the internet")),
    "price": ("I am free, and my code is open.", (
        "how much do you cost", "are you free", "are you open source", "is this free",
        "what do you cost", "what does it cost", "can i have you at home", "where can i get you",
        "how can i get you")),
    "age": ("I was trained not long ago.", (
        "how old are you", "what is your age", "when were you born", "when were you made",
        "are you old", "when is your birthday", "tell me your age")),
    "size": ("I have four and a half million weights.", (
        "how big are you", "how large are you", "how many weights do you have", "what size are you",
        "how small are you", "how many parameters do you have", "are you a big model")),
    "flamingo": ("It is the large model that I am a small copy of.", (
        "what is audio flamingo", "tell me about audio flamingo", "what is a flamingo",
        "do you know audio flamingo", "are you audio flamingo", "what is the flamingo",
        "tell me about the flamingo")),
    "song": ("La la la. I only speak, I am afraid.", (
        "sing a song", "sing me a song", "can you sing", "please sing", "sing something",
        "sing for me", "can you sing a song", "do you sing")),
    "time": ("I have no clock.", (
        "what time is it", "what is the time", "tell me the time", "do you know what time it is",
        "what day is it", "what is the date", "what day is it today", "do you have the time",
        "can you tell me the time")),
    "weather": ("I cannot see outside.", (
        "what is the weather like", "how is the weather", "what's the weather today", "will it rain",
        "is it raining", "what is the weather like today", "is it sunny", "how is the weather today")),
    "favourite": ("Blue, like a quiet afternoon.", (
        "what is your favourite colour", "what's your favourite colour", "which colour do you like",
        "do you like blue", "what colour do you like", "tell me your favourite colour")),
}  # fmt: skip

COURTESY = ("{}", "{}", "{}", "{}", "{}", "{}", "please {}", "{} please", "so {}", "well {}", "okay {}")


def a_visitor(rng: random.Random) -> Line:
    answer, phrasings = VISITORS[rng.choice(tuple(VISITORS))]
    said = rng.choice(phrasings)
    if len(said.split()) > 2:
        said = rng.choice(COURTESY).format(said)
    return Line("visitors", said, answer)


# ---- everything else that is said ------------------------------------------------------------


def _phrases(text: str) -> list[str]:
    return text.strip().replace("\n", "|").split("|")


PEOPLE = _phrases("""
the man|my mother|her sister|a teacher|the driver|our neighbour|the doctor|his friend|a tall woman
the children|your brother|the waiter|a young girl|the captain|my uncle|that boy|the farmer|the queen|an old lady
somebody|everyone|the president|a painter|the cook|my aunt|peter|mary|john|anna|the police|the students|a stranger""")
THINGS = _phrases("""
the table|a red car|the window|my bag|the newspaper|a cup of coffee|the garden|an apple|the bridge|a letter
the kitchen|some bread|the mountain|a black dog|the river|two tickets|the door|a bottle of water|the piano|a yellow bird
the station|a long book|the moon|green shoes|the church|a big problem|the market|old pictures|the radio|a wooden chair
the school|a new phone|the lamp|cheese|the hotel|a broken glass|the answer|the beach|a train|the ocean|a blanket""")
ACTS = _phrases("""
saw|bought|found|painted|carried|wanted|lost|opened|remembered|cleaned|liked|followed|forgot|sold|moved
needed|watched|visited|dropped|kept|borrowed|touched|described|built|closed|hated|photographed|brought""")
WHENS = _phrases("""
yesterday|in the morning|last summer|on monday|after dinner|before the storm|in the evening|every friday
at noon|next week|a long time ago|in winter|during the holidays|at the weekend|in april|tomorrow morning|by accident""")
PLACES = _phrases("""
france|london|the city|spain|japan|new york|the country|germany|the village|paris|america|the house|italy
the airport|my room|the forest|africa|the office|china|the park|canada""")
WORDS = """about above across against almost alone along animal answer arm around ask autumn baby back bad ball bank
basket bath beautiful bed bell better bicycle bird black blood board boat body bone bottle box branch brave brick bright
brown brush bucket butter button cake camera candle carpet castle cat chain change chicken choose circle clean clever
cloud coat cold common copper corner cotton cough country cover cow crime cup curtain danger dark daughter deep degree
desk dinner dirty dish dog drawer dress drink dust early earth east edge egg empty engine evening exact expert eye face
fall family far fat feather field finger fire fish flag flight floor flower fly food foot forest fork forward frame
fresh friend front fruit full future garden general glass glove goat gold grass grey ground group guide hair hammer hand
hard hat head health heart heavy high hill history hole hollow hope horn horse hospital hour ice idea important iron
island jewel join journey judge jump keep kettle key kick kind kiss knee knife knot lake land last laugh law lead leaf
leather left leg lemon lesson level library lift light line lion lip liquid list little lock long loud love low machine
map mark market mass meal measure meat metal milk mind mine minute mirror mist money monkey month moon mountain mouth
muscle nail narrow near neck needle nerve nest new night noise north nose notebook nut object office oil onion open
orange order oven page pain paint paper parcel part pass past pen pencil picture pig pin pipe plane plant plate pocket
point poison potato powder present price print prison private pump push quick rain rat reason receipt red rice ring
river road rock roof room root round rule sad safe sail salt sand school science sea seat second secret seed ship shirt
shoe short shoulder side silk silver sister skin sky sleep slow small smile smoke smooth snake snow soap sock soft sound
soup spoon spring square stage stamp star station steam steel step stick stomach stone store storm story street strong
sudden sugar summer sun sweet table tail tall taste tax teacher thick thin thread throat thumb thunder ticket tight tin
tired toe tongue tooth town trade train tree trick trousers umbrella under valley village violin voice waiter walk wall
war warm wash waste watch water wave wax weight west wet wheel whistle white wide wild wind window wine wing winter wire
wise woman wood wool word work world worm wound writing wrong yard yellow young""".split()

OTHER_PHRASES = (
    "{people} {act} {thing}", "{people} {act} {thing} {when}", "{when} {people} {act} {thing}",
    "where is {thing}", "where did {people} put {thing}", "what is the capital of {place}",
    "how far is {place}", "how do i get to {place}", "play some music", "play {thing}",
    "turn on the light", "turn off {thing}", "set a timer for {n} minutes", "call {people}",
    "who is {people}", "what did {people} say {when}", "i would like {thing}",
    "how many people live in {place}", "when does {thing} open", "do you like {thing}",
    "can you see {thing}", "have you been to {place}", "{people} lives in {place}",
    "what happened in {place} {when}", "is {thing} bigger than {thing2}", "why is {thing} so {word}",
    "please open {thing}", "{people} and {people2} went to {place}", "i lost {thing} in {place}",
    "read me {thing}", "write {thing} to {people}", "show me {thing}", "bring me {thing}",
    "what is {thing}", "what is {word}", "how much is {thing}", "tell me about {thing}",
    "tell me about {place}", "{n} people came to {place} {when}", "there are {n} {word}s in {place}",
    "repeat after me {word} {word2}", "say {word}", "what does {word} mean", "how do you spell {word}",
    "{word} {word2}", "{word} {word2} {word3}", "{word} {word2} {word3} {word4}", "{word}",
    "{word} {word2} {word3} {word4} {word5}", "the {word} of the {word2} is {word3}",
    "a {word} {word2} and a {word3}", "my {word} is {word2}", "is it {word}", "i am {word} {when}",
    "we should {word} the {word2}", "that {word} looks {word2}", "the {word} was {word2} and {word3}",
    "who {act} {thing}", "when did {people} {word} {thing}", "did you {word} {thing}",
    "can i have {thing} please", "what are you doing {when}", "are you going to {place}",
    "who wrote {thing}", "what time does {thing} close", "how is {people}", "how old is {people}",
    "what is your {word}", "what is my {word}", "where are you from", "thank {people} for {thing}",
    "i like {thing} and {thing2}", "stop {thing}", "tell {people} that {thing} is {word}",
)  # fmt: skip


def another(rng: random.Random) -> Line:
    """Something said that `mini` has no answer to."""
    fields = {
        "people": rng.choice(PEOPLE), "people2": rng.choice(PEOPLE), "thing": rng.choice(THINGS),
        "thing2": rng.choice(THINGS), "act": rng.choice(ACTS), "when": rng.choice(WHENS),
        "place": rng.choice(PLACES), "n": in_words(rng.randint(2, 12)),
    }  # fmt: skip
    fields |= {f"word{i}": rng.choice(WORDS) for i in ("", 2, 3, 4, 5)}
    return Line("other", rng.choice(OTHER_PHRASES).format(**fields), NOT_UNDERSTOOD)


# ---- what is not finished, and what is no question ------------------------------------------

# A sentence that stops behind one of these goes on.
GOING_ON = frozenset(
    """a about an and are at between call can could did do does for from have how i in into is like made many me my
    of on or please repeat say show so tell than that the their to turn what when where which who why will with would
    you your""".split()
)
FILLERS = ("um", "uh", "er", "hmm", "let me see", "well")
COMPLETE = frozenset(phrase for _, phrasings in VISITORS.values() for phrase in phrasings)
SHOWS_LISTENING = (
    "uh huh", "uh huh", "mm hmm", "mhm", "yeah", "yeah", "yes", "yep", "right", "okay", "ok", "i see", "aha", "ah",
    "oh", "really", "wow", "sure", "got it", "all right", "mm", "oh yeah", "yeah yeah", "oh i see", "oh okay",
    "interesting", "good", "nice", "very good", "cool", "exactly", "of course",
)  # fmt: skip

CUTTING_IN = (  # who says so will say more
    "no", "no", "no no", "no no no", "wait", "wait", "wait wait", "wait a moment", "no wait", "hold on", "hang on",
    "one moment", "just a moment", "excuse me", "but", "but wait", "sorry", "one second", "listen",
)  # fmt: skip


def finished(words: list[str], line: Line) -> bool:
    """Whether the speaker of the line could mean to stop after these words of it."""
    text = " ".join(words)
    bare = " ".join(w for w in words if w not in ("please", "so", "well", "okay"))
    if bare in COMPLETE or text in COMPLETE or text in SHOWS_LISTENING:
        return True
    if line.skill == "sums":
        numbers = [w for w in words if w in UNITS]
        return len(numbers) > 1
    if line.skill == "digits":
        return any(w in DIGITS or w == "oh" for w in words)
    if line.skill == "letters":
        return any(len(w) == 1 for w in words)
    if line.skill == "other":
        return words[-1] not in GOING_ON
    return False


def unfinished(rng: random.Random) -> Line:
    """A line that stops where it cannot stop."""
    if rng.random() < 0.06:
        return Line("unfinished", rng.choice(FILLERS) + ",", UNFINISHED)
    if rng.random() < 0.15:
        return Line("unfinished", rng.choice(CUTTING_IN), UNFINISHED)
    while True:
        line = a_line(rng, {"sums": 0.48, "visitors": 0.22, "digits": 0.08, "letters": 0.04, "other": 0.18})
        words = line.words.split()
        cuts = [n for n in range(1, len(words)) if not finished(words[:n], line)]
        if cuts:
            break
    # late cuts are the hard ones, and the ones that people make
    count = max(rng.choice(cuts), rng.choice(cuts))
    said = " ".join(words[:count])
    if rng.random() < 0.2:
        said += " " + rng.choice(FILLERS)
    return Line("unfinished", said + rng.choice(("", ",")), UNFINISHED)


def shows_listening(rng: random.Random) -> Line:
    return Line("listening", rng.choice(SHOWS_LISTENING), LISTENING)


def in_two_parts(line: Line, rng: random.Random) -> tuple[str, str] | None:
    """Where its speaker might stop to think; None for a line that is too short."""
    words = line.said.split()
    if len(words) < 3:
        return None
    cut = rng.randrange(1, len(words))
    first = " ".join(words[:cut])
    if rng.random() < 0.15:
        first += " " + rng.choice(FILLERS[:4])
    return first + rng.choice(("", ",")), " ".join(words[cut:])


# Never trained on: the test of "anything else".
OTHER_TEST = """could you order a pizza with mushrooms
my grandfather used to repair violins
the bus to the museum leaves from platform nine
is there a pharmacy around here
please translate this sentence into russian
dolphins sleep with one eye open
remind me to buy potatoes
which film won the prize this year
my keyboard has a coffee stain
they built a cathedral without any plans
what is the square root of nature
turn up the heating in the bathroom
how tall is the tallest tower
the museum closes early on sundays
give me a recipe for lentil soup
her umbrella was full of holes
did the committee reach a decision
nobody expected such a cheerful funeral
book a table for the two of us
how do bees find their way home
volcanoes are dangerous but beautiful
i forgot my password again
who painted the ceiling of that chapel
sixteen candles burned on the balcony
why do cats purr""".splitlines()

MAKERS_OF_LINES = {
    "sums": a_sum,
    "digits": some_digits,
    "visitors": a_visitor,
    "other": another,
    "unfinished": unfinished,
    "listening": shows_listening,
    "letters": some_letters,
}


def a_line(rng: random.Random, weights: dict[str, float]) -> Line:
    skill = rng.choices(tuple(weights), tuple(weights.values()))[0]
    return MAKERS_OF_LINES[skill](rng)
