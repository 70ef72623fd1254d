"""Written English is read as people read it, and every written word keeps its sound."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.speakable import speakable
from tts.spoken import Unit, spoken
from tts.text import Splitter


def sound(text: str, language: str = "en") -> str:
    return "".join(unit.spoken for unit in spoken(text, language))


NUMBERS = [
    ("7 dogs", "seven dogs"),
    ("1,000,000", "one million"),
    ("1,984", "one thousand nine hundred and eighty-four"),
    ("12345", "twelve thousand three hundred and forty-five"),
    ("3.14159", "three point one four one five nine"),
    ("0.05", "zero point zero five"),
    (".5", "point five"),
    ("-3", "minus three"),
    ("(−5)", "(minus five)"),
    ("+5", "plus five"),
    ("±5", "plus or minus five"),
    ("~5", "about five"),
    ("18+", "eighteen plus"),
    ("007", "zero zero seven"),
    ("1,2,3", "one, two, three"),
    ("12345678901234567890", " ".join("one two three four five six seven eight nine zero".split() * 2)),
    ("1000000000000", "one trillion"),
    ("at 5.", "at five."),
    ("5 or 6?", "five or six?"),
    ("5 million", "five million"),
    ("5M users", "five million users"),
    ("version 2.0.1", "version two point zero point one"),
    ("Python 3.11", "Python three point eleven"),
    ("v2", "version two"),
    ("iPhone 15", "iPhone fifteen"),
    ("Room 101", "Room one oh one"),
    ("Boeing 747", "Boeing seven forty-seven"),
    ("A-4", "A-four"),
    ("A4 paper", "A-four paper"),
    ("COVID-19", "COVID-nineteen"),
    ("B-52", "B-fifty-two"),
    ("3-year-old", "three-year-old"),
    ("well-known", "well-known"),
    ("H2O and CO2", "H two O and CO two"),
    ("H₂O", "H two O"),
    ("MP3", "MP three"),
    ("#1", "number one"),
    ("1st, 22nd", "first, twenty-second"),
    ("the 20th century", "the twentieth century"),
]
RANGES_AND_SUMS = [
    ("10–20", "ten to twenty"),
    ("pages 10-20", "pages ten to twenty"),
    ("10 – 20", "ten to twenty"),
    ("It takes 10 - 20 minutes", "It takes ten to twenty minutes"),
    ("2–1 win", "two to one win"),
    ("a 3-3 draw", "a three three draw"),
    ("4-4-2", "four four two"),
    ("2 - 1", "two minus one"),
    ("5-3 = 2", "five minus three equals two"),
    ("3 - 5 = -2", "three minus five equals minus two"),
    ("5 + -3", "five plus minus three"),
    ("3*4", "three times four"),
    ("3 * 4", "three times four"),
    ("7 × 8 = 56", "seven times eight equals fifty-six"),
    ("10/2", "ten divided by two"),
    ("144 / 12", "one hundred and forty-four divided by twelve"),
    ("6 ÷ 3", "six divided by three"),
    ("2^10", "two to the power of ten"),
    ("x²", "x squared"),
    ("x^2", "x squared"),
    ("10⁻³", "ten to the power of minus three"),
    ("2³", "two cubed"),
    ("6.02 × 10^23", "six point zero two times ten to the power of twenty-three"),
    ("1e-5", "one times ten to the power of minus five"),
    ("E=mc²", "E equals mc squared"),
    ("x = -5, y >= 10", "x equals minus five, y is at least ten"),
    ("4x4", "four by four"),
    ("1920x1080", "nineteen twenty by ten eighty"),
    ("3x faster", "three times faster"),
    ("2x + 1", "two x plus one"),
    ("1/2", "one half"),
    ("3/4", "three quarters"),
    ("2/3", "two thirds"),
    ("1 1/2 cups", "one and a half cups"),
    ("1½", "one and a half"),
    ("¾ cup", "three quarters cup"),
    ("8/10", "eight out of ten"),
    ("9.5/10", "nine point five out of ten"),
    ("24/7", "twenty-four seven"),
    ("9/11", "nine eleven"),
    ("50/50", "fifty fifty"),
]
DATES = [
    ("in 1984", "in nineteen eighty-four"),
    ("1984 apples", "one thousand nine hundred and eighty-four apples"),
    ("in 1984 apples were cheap", "in nineteen eighty-four apples were cheap"),
    ("1984 was a year", "nineteen eighty-four was a year"),
    ("in 2024.", "in twenty twenty-four."),
    ("2000 people", "two thousand people"),
    ("the 2024 elections", "the twenty twenty-four elections"),
    ("the 1990s", "the nineteen nineties"),
    ("the ’90s", "the nineties"),
    ("mid-1900s", "mid-nineteen hundreds"),
    ("in 2005", "in two thousand and five"),
    ("in 1905", "in nineteen oh five"),
    ("1066 AD", "ten sixty-six AD"),
    ("AD 476", "AD four seventy-six"),
    ("44 B.C.", "forty-four BC."),
    ("1990–1995", "nineteen ninety to nineteen ninety-five"),
    ("1990-95", "nineteen ninety to ninety-five"),
    ("in ’99", "in ninety-nine"),
    ("2024-03-05", "March fifth, twenty twenty-four"),
    ("2024-03-05T10:30", "March fifth, twenty twenty-four ten thirty"),
    ("March 5", "March fifth"),
    ("March 5, 2024, at", "March fifth, twenty twenty-four, at"),
    ("Jan. 3", "January third"),
    ("July 4th", "July fourth"),
    ("5 March 2024", "the fifth of March twenty twenty-four"),
    ("the 5 March", "the fifth of March"),
    ("1st of May", "first of May"),
    ("5–7 March", "the fifth to the seventh of March"),
    ("March 2024", "March twenty twenty-four"),
    ("March 10 km", "March ten kilometres"),
    ("3/5/2024", "March fifth, twenty twenty-four"),
    ("25/12/2024", "the twenty-fifth of December twenty twenty-four"),
    ("31.12.1999", "the thirty-first of December nineteen ninety-nine"),
    ("99/99/2024", "ninety-nine slash ninety-nine slash two thousand and twenty-four"),
]
TIMES = [
    ("10:30", "ten thirty"),
    ("10:00", "ten o'clock"),
    ("12:00", "twelve o'clock"),
    ("0:05", "zero oh five"),
    ("23:05", "twenty-three oh five"),
    ("13:00", "thirteen hundred"),
    ("00:00", "midnight"),
    ("1:23:45", "one twenty-three and forty-five seconds"),
    ("7 pm", "seven PM"),
    ("9:00 AM", "nine AM"),
    ("5:30 p.m. on", "five thirty PM on"),
    ("We met at 5 p.m.", "We met at five PM."),
    ("It was 5 a.m. The dog", "It was five AM. The dog"),
    ("7–9 pm", "seven to nine PM"),
    ("9am-5pm", "nine AM to five PM"),
    ("10:30–11:45", "ten thirty to eleven forty-five"),
    ("5 o'clock", "five o'clock"),
    ("16:9", "sixteen to nine"),
    ("a ratio of 1:10", "a ratio of one to ten"),
    ("John 3:16", "John three sixteen"),
]
MONEY = [
    ("$1", "one dollar"),
    ("$3.50", "three dollars and fifty cents"),
    ("$0.99", "ninety-nine cents"),
    ("$1.01", "one dollar and one cent"),
    ("£5", "five pounds"),
    ("£0.50", "fifty pence"),
    ("€1,200", "one thousand two hundred euros"),
    ("$2M", "two million dollars"),
    ("$1.2 billion", "one point two billion dollars"),
    ("¥10,000", "ten thousand yen"),
    ("-$5", "minus five dollars"),
    ("$5–$10", "five to ten dollars"),
    ("$5k–$10k", "five thousand dollars to ten thousand dollars"),
    ("3 USD", "three US dollars"),
    ("EUR 20", "twenty euros"),
    ("5 €", "five euros"),
    ("20¢", "twenty cents"),
    ("a $20 bill", "a twenty dollar bill"),
    ("$5/month", "five dollars per month"),
    ("I have $5. He", "I have five dollars. He"),
]
MEASURES = [
    ("5 km", "five kilometres"),
    ("1 km", "one kilometre"),
    ("0.5 km", "zero point five kilometres"),
    ("½ km", "one half kilometre"),
    ("a 5 km run", "a five kilometre run"),
    ("a 5-km run", "a five-kilometre run"),
    ("ran 5 km. Then", "ran five kilometres. Then"),
    ("10kg", "ten kilograms"),
    ("60 mph", "sixty miles per hour"),
    ("9.81 m/s²", "nine point eight one metres per second squared"),
    ("5 mg/kg", "five milligrams per kilogram"),
    ("50 m²", "fifty square metres"),
    ("3 °C", "three degrees Celsius"),
    ("-5 °C", "minus five degrees Celsius"),
    ("212°F", "two hundred and twelve degrees Fahrenheit"),
    ("a 90° turn", "a ninety degrees turn"),
    ("20%", "twenty percent"),
    ("100%", "one hundred percent"),
    ("5-10 %", "five to ten percent"),
    ("10% - 20%", "ten to twenty percent"),
    ("16 GB", "sixteen gigabytes"),
    ("2.4 GHz", "two point four gigahertz"),
    ("5'11\" tall", "five foot eleven tall"),
    ("5 ft. 3 in. tall", "five feet three inches tall"),
    ("It is 3 in.", "It is three inches."),
    ("It weighs 10 lbs.", "It weighs ten pounds."),
    ("10 lbs. of", "ten pounds of"),
    ("5 in the morning", "five in the morning"),
    ("in 5 min. we", "in five minutes we"),
]
ABBREVIATIONS = [
    ("Dr. Smith", "Doctor Smith"),
    ("Dr. Dr. Smith", "Doctor Doctor Smith"),
    ("Dr. Dr.", "Doctor Doctor."),
    ("12 Elm Dr. in", "twelve Elm Drive in"),
    ("Mr. and Mrs. Brown", "Mister and Missus Brown"),
    ("Ms Lee", "Miz Lee"),
    ("St. Paul on Main St.", "Saint Paul on Main Street."),
    ("10 Downing St. Then", "ten Downing Street. Then"),
    ("e.g. this", "for example this"),
    ("i.e. that", "that is that"),
    ("etc.", "et cetera."),
    ("apples, etc., are", "apples, et cetera, are"),
    ("apples etc. The", "apples et cetera. The"),
    ("cats vs. dogs", "cats versus dogs"),
    ("approx. 5", "approximately five"),
    ("No. 5", "number five"),
    ("No. I do not.", "No. I do not."),
    ("No.", "No."),
    ("Fig. 2", "figure two"),
    ("pp. 5–7", "pages five to seven"),
    ("c. 1900", "circa nineteen hundred"),
    ("Acme Inc. said", "Acme Incorporated said"),
    ("Jones et al. found", "Jones et al found"),
    ("the U.S. team", "the US team"),
    ("in the U.S.", "in the US."),
    ("in the U.S. They", "in the US. They"),
    ("J. S. Bach", "J S Bach"),
    ("Vitamin C. It is", "Vitamin C. It is"),
    ("So do I. He", "So do I. He"),
    ("a Ph.D. student", "a PhD student"),
    ("NASA and the FBI", "NASA and the FBI"),
]
ROMANS = [
    ("Henry VIII", "Henry the Eighth"),
    ("Louis XIV", "Louis the Fourteenth"),
    ("Elizabeth II's son", "Elizabeth the Second's son"),
    ("Elizabeth I was", "Elizabeth the First was"),
    ("Benedict XVI met", "Benedict the Sixteenth met"),
    ("World War II", "World War Two"),
    ("World War I ended", "World War One ended"),
    ("Chapter IV", "Chapter Four"),
    ("Chapter I", "Chapter One"),
    ("In this Chapter I think", "In this Chapter I think"),
    ("Act II, Scene 3", "Act Two, Scene three"),
    ("Rocky II", "Rocky Two"),
    ("Vol. II", "volume Two"),
    ("I think", "I think"),
    ("Vitamin C", "Vitamin C"),
    ("Washington DC", "Washington DC"),
    ("size XL", "size XL"),
    ("mix", "mix"),
]
ADDRESSES = [
    ("info@example.com", "info at example dot com"),
    ("hello@example.com.", "hello at example dot com."),
    ("foo_bar@x.co.uk", "foo underscore bar at X dot co dot UK"),
    ("www.example.com", "www dot example dot com"),
    ("https://example.com/a?b=1", "example dot com slash a question mark B equals one"),
    ("(https://example.com/).", "(example dot com)."),
    ("<https://example.com>", "example dot com"),
    ("[the page](https://example.com/a)", "the page"),
    ("example.com/path", "example dot com slash path"),
    ("192.168.0.1", "one nine two dot one six eight dot zero dot one"),
    ("main.py", "main dot py"),
    ("/usr/local/bin", "slash usr slash local slash bin"),
    ("Node.js", "Node dot JS"),
    ("@user and #topic", "at user and hashtag topic"),
]
TELEPHONES = [
    ("555-0123", "five five five, zero one two three"),
    ("+44 20 7946 0958", "plus four four, two zero, seven nine four six, zero nine five eight"),
    ("(212) 555-1234", "two one two, five five five, one two three four"),
    ("1-800-555-0199", "one, eight zero zero, five five five, zero one nine nine"),
    ("020 7946 0958", "zero two zero, seven nine four six, zero nine five eight"),
    ("4111 1111 1111 1111", "four one one one, one one one one, one one one one, one one one one"),
    ("call 911", "call nine one one"),
    ("call 911 times", "call nine one one times"),
    ("error code 404", "error code four zero four"),
    ("100-2000 words", "one hundred to two thousand words"),
]
SIGNS = [
    ("R&D", "R and D"),
    ("this & that", "this and that"),
    ("C++", "C plus plus"),
    ("C#", "C sharp"),
    ("AC/DC", "AC DC"),
    ("he/she", "he or she"),
    ("and/or", "and or"),
    ("w/o", "without"),
    ("a -> b", "a to b"),
    ("A → B", "A to B"),
    ("a < b", "a is less than b"),
    ("≈ 5", "is about five"),
    ("x ≤ 3", "x is at most three"),
    ("§ 5", "section five"),
    ("© 2024", "copyright twenty twenty-four"),
    ("iPhone™", "iPhone"),
    ("Mon–Fri", "Mon to Fri"),
    ("Well… yes", "Well… yes"),
    ("π and √2", "pi and the square root of two"),
    ("<b>bold</b>", "bold"),
    ("**bold**, 😀 _next_", "bold, next"),
    ("# Title\n- item 1\n> quote", "Title\nitem one\nquote"),
    ("```python\nx = 1\n```", "x equals one\n"),
    ("Hello 😀\nNext", "Hello\nNext"),
    ("wait — no; yes: (so) \"it\" goes, 'on'!", "wait — no; yes: (so) \"it\" goes, 'on'!"),
]
CASES = [
    *(*NUMBERS, *RANGES_AND_SUMS, *DATES, *TIMES, *MONEY, *MEASURES),
    *(*ABBREVIATIONS, *ROMANS, *ADDRESSES, *TELEPHONES, *SIGNS),
]


@pytest.mark.parametrize(("written", "said"), CASES)
def test_readings(written: str, said: str) -> None:
    assert sound(written) == said
    assert "".join(unit.written for unit in spoken(written)) == written


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (written, said)
        for written, said in CASES
        if written[-1].isalnum() and (written[0].isdigit() or written[0] in "$£€-")
    ],
)
def test_readings_inside_a_sentence(written: str, said: str) -> None:
    """The same between other words, but for what a stop or a name beside it makes something else."""
    assert sound(f"we saw {written} there") == f"we saw {said} there"


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Hello, big world!", [("Hello, ", "Hello, "), ("big ", "big "), ("world!", "world!")]),
        (
            "**It** costs $3.50.",
            [("**It** ", "It "), ("costs ", "costs "), ("$3.50.", "three dollars and fifty cents.")],
        ),
        ("at 7 pm we", [("at ", "at "), ("7 pm ", "seven PM "), ("we", "we")]),
        ("2 - 1", [("2 - 1", "two minus one")]),
        (
            "7 × 8 = 56.",
            [("7 ", "seven "), ("× ", "times "), ("8 ", "eight "), ("= ", "equals "), ("56.", "fifty-six.")],
        ),
        ("5 km,", [("5 ", "five "), ("km,", "kilometres,")]),
        ("March 5, 2024", [("March ", "March "), ("5, ", "fifth, "), ("2024", "twenty twenty-four")]),
        ("5 March", [("5 ", "the fifth of "), ("March", "March")]),
        ("Henry VIII", [("Henry ", "Henry "), ("VIII", "the Eighth")]),
        ("so 😀 it", [("so ", "so "), ("😀 ", ""), ("it", "it")]),
        ("so—it", [("so—", "so—"), ("it", "it")]),
        ("  two\n\nthree ", [("  two\n\n", "  two\n\n"), ("three ", "three ")]),
        (" \n", [(" \n", "")]),
        ("", []),
    ],
)
def test_a_unit_is_a_word_where_words_can_be_told_apart(text: str, units: list[tuple[str, str]]) -> None:
    assert spoken(text) == [Unit(written, said) for written, said in units]


def test_the_day_comes_first_in_britain() -> None:
    for language in ("en", "en-us", "en_US"):
        assert sound("3/5/2024", language) == "March fifth, twenty twenty-four"
    assert sound("3/5/2024", "en-gb") == "the third of May twenty twenty-four"
    assert sound("2024-03-05", "en-GB") == "the fifth of March twenty twenty-four"


@pytest.mark.parametrize("language", ["de", "fr-ca", "pt_BR", "zh"])
def test_other_languages_lose_their_marks_alone(language: str) -> None:
    text = "**Es** kostet 5,50 € am 3. Mai 😀 &\nz. B. `hier`."
    assert sound(text, language) == "Es kostet 5,50 € am 3. Mai &\nz. B. hier."
    assert sound("你好，3只狗。", language) == "你好，3只狗。"


SIGNS_AND_DIGITS = st.text(
    st.sampled_from("0123456789 .,-–−/:$€£%²³⁻½x^@()km°'’\"+*=<>~#&IVXLM\n_`pageAPSt…"), max_size=60
)
SNIPPETS = st.lists(st.sampled_from([written for written, _ in CASES]), max_size=8).flatmap(
    lambda parts: st.sampled_from(["", " ", ", ", "-", ".", "/"]).map(lambda between: between.join(parts))
)


@settings(deadline=None, max_examples=600)
@given(st.text(max_size=80) | SIGNS_AND_DIGITS | SNIPPETS, st.sampled_from(["en", "en-gb", "de"]))
def test_what_is_written_adds_up(text: str, language: str) -> None:
    units = spoken(text, language)
    assert "".join(unit.written for unit in units) == text
    assert all(unit.written for unit in units)


@settings(deadline=None, max_examples=300)
@given(SIGNS_AND_DIGITS | SNIPPETS)
def test_no_digit_is_left_to_the_voice(text: str) -> None:
    assert not any(char in "0123456789%$€£&@+=<>" for char in sound(text))


@given(st.lists(st.sampled_from("dog cat, runs. sings! and; blue? (so) so-so it's".split()), max_size=12))
def test_plain_words_stay_as_they_are(words: list[str]) -> None:
    text = " ".join(words)
    assert sound(text) == text
    assert [unit.written.strip() for unit in spoken(text)] == words


@settings(deadline=None)
@given(st.integers(0, 10**30))
def test_a_number_of_any_length_is_read(value: int) -> None:
    words = sound(f"{value}").split()
    assert words and all(word.replace("-", "").isalpha() for word in words)


HOSTILE = ["1", "a.", "A.A.", "(", "-1", "@", "1 ", "1,", "111,", "1.", "/a", "a@", "a_", "1/", "1:", "$1", "https://"]
HOSTILE += [
    "<a ",
    "x^",
    "I ",
    "²",
    "+1 ",
    "(1)",
    "-",
    "- ",
    "'",
    "`",
    "😀",
    "a.com/",
    "XI",
    "March ",
    "1 - ",
    "\n",
    " ",
]


@pytest.mark.parametrize("bad", HOSTILE)
def test_time_is_linear(bad: str) -> None:
    """100,000 characters take about a second, and where they would take a square of it, minutes."""
    text = bad * (100_000 // len(bad))
    spoken("1")
    start = time.process_time()
    units = spoken(text + "!")
    assert time.process_time() - start < 8
    assert "".join(unit.written for unit in units) == text + "!"


PHRASES = [
    *("2 - 1", "10 – 20", "5% – 10%", "10 km – 20 km", "10:30", "10:30 a.m.", "No. 5", "Fig. 2", "$3.50", "$2 million"),
    *("+44 20 7946 0958", "(212) 555-1234", "5 March 2024", "March 5, 2024", "Jan. 3, 2024", "7 × 8 = 56", "x = 5"),
    *("2 + 3", "5 km", "7 pm", "War II", "Henry VIII", "Chapter IV", "3 USD", "1 1/2 cups", "½ cup", "A & B", "AD 476"),
    *("5 ft. 3 in.", "5th Ave.", "5 o'clock", "call 911", "5 / 10", "3 °C", "approx. 5", "192.168.0.1", "Dr. Smith"),
]


@pytest.mark.parametrize("phrase", PHRASES)
@pytest.mark.parametrize("lead", ["", "Well, ", "Yes. "])
def test_the_splitter_leaves_whole_what_is_read_as_one(phrase: str, lead: str) -> None:
    for count in range(30):
        text = f"{lead}{'dog ' * count}{phrase} barks and barks. Good."
        splitter = Splitter()
        pieces = [*(piece for char in text for piece in splitter.push(char)), *splitter.flush()]
        assert any(phrase in piece for piece in pieces), pieces


@given(st.text(max_size=60) | SIGNS_AND_DIGITS)
def test_speakable_still_has_the_length_of_its_text(text: str) -> None:
    assert len(speakable(text)) == len(text)
