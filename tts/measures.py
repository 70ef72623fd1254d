"""Numbers with units of measure, and percentages."""

import re

from tts.numbers import TOKEN, number, signed
from tts.rule import DASH, SPACE, Rule, choice, rule, stop, word_before


def _table(lines: str) -> dict[str, tuple[str, str]]:
    table = {}
    for line in lines.strip().splitlines():
        symbols, one, *more = line.split("|")
        for symbol in symbols.split():
            table[symbol] = (one.strip(), more[0].strip() if more else one.strip() + "s")
    return table


_UNITS = _table(
    """
    km | kilometre
    m | metre
    cm | centimetre
    mm | millimetre
    µm μm | micrometre
    nm | nanometre
    ha | hectare
    km² km2 | square kilometre
    m² m2 | square metre
    cm² cm2 | square centimetre
    mm² | square millimetre
    m³ m3 | cubic metre
    cm³ cm3 | cubic centimetre
    kg | kilogram
    g | gram
    mg | milligram
    µg μg mcg | microgram
    l L | litre
    dl dL | decilitre
    cl cL | centilitre
    ml mL | millilitre
    ms | millisecond
    µs μs | microsecond
    ns | nanosecond
    s | second
    h | hour
    km/h kph kmh | kilometre per hour | kilometres per hour
    mph | mile per hour | miles per hour
    °C ℃ | degree Celsius | degrees Celsius
    °F ℉ | degree Fahrenheit | degrees Fahrenheit
    °N | degree north | degrees north
    °S | degree south | degrees south
    °E | degree east | degrees east
    °W | degree west | degrees west
    ° º | degree
    kB KB | kilobyte
    MB | megabyte
    GB | gigabyte
    TB | terabyte
    PB | petabyte
    KiB | kibibyte
    MiB | mebibyte
    GiB | gibibyte
    TiB | tebibyte
    kbps Kbps kbit/s | kilobit per second | kilobits per second
    Mbps Mbit/s | megabit per second | megabits per second
    Gbps Gbit/s | gigabit per second | gigabits per second
    Hz | hertz | hertz
    kHz | kilohertz | kilohertz
    MHz | megahertz | megahertz
    GHz | gigahertz | gigahertz
    W | watt
    mW | milliwatt
    kW | kilowatt
    MW | megawatt
    GW | gigawatt
    Wh | watt hour
    kWh | kilowatt hour
    MWh | megawatt hour
    V | volt
    mV | millivolt
    kV | kilovolt
    mA | milliamp
    mAh | milliamp hour
    Ω Ω | ohm
    kΩ kΩ | kiloohm
    MΩ MΩ | megaohm
    kJ | kilojoule
    MJ | megajoule
    kcal | kilocalorie
    cal | calorie
    kN | kilonewton
    Pa | pascal
    hPa | hectopascal
    kPa | kilopascal
    MPa | megapascal
    psi | pound per square inch | pounds per square inch
    dB | decibel
    rpm | revolution per minute | revolutions per minute
    bpm | beat per minute | beats per minute
    fps | frame per second | frames per second
    ppm | part per million | parts per million
    px | pixel
    MP | megapixel
    % | percent | percent
    ‰ | per mille | per mille
    """
)
# These take a stop.
_STOPPED = _table(
    """
    ft | foot | feet
    yd yds | yard
    mi | mile
    lb lbs | pound
    oz | ounce
    gal | gallon
    min mins | minute
    sec secs | second
    hr hrs | hour
    """
)
_ONLY_STOPPED = _table("in. | inch | inches")
_ALL = {**_UNITS, **_STOPPED, **_ONLY_STOPPED}
_PER = {"s": "second", "h": "hour", "min": "minute", "kg": "kilogram", "l": "litre", "L": "litre", "m²": "square metre"}
_PER |= {"m³": "cubic metre", "s²": "second squared", "dL": "decilitre", "dl": "decilitre", "ml": "millilitre"}
_PER |= {"km": "kilometre", "day": "day", "year": "year", "month": "month", "week": "week", "cm³": "cubic centimetre"}
_AMONG_WORDS = "km cm mm kg mg kHz MHz GHz GB MB TB kWh kW km/h km² °C °F m² m³".split()


def _measure(match: re.Match[str]) -> str | list[str] | None:
    sign, low, dash, high, gap, unit, per, dot = match.groups()
    value = number(high)
    first = number(low) if low else ""
    if value is None or first is None:
        return None
    one, more = _ALL[unit]
    attached = gap == "-" or word_before(match) in ("a", "an")  # a 5-km run
    name = one if (attached or (value == "one" and not low)) and not (attached and "degree" in one) else more
    if per:
        name += " per " + _PER[per[1:]]
    if unit in _ONLY_STOPPED or (dot and unit in _STOPPED):
        name += stop(match)
    elif dot:
        name += "."
    words = signed(sign or "", f"{first} to {value}" if low else value)
    if gap == "-":
        return f"{words}-{name}"
    return [words, name] if gap and not re.search(SPACE, dash or "") else f"{words} {name}"


def _from_to(match: re.Match[str]) -> str | None:
    """5% - 10%"""
    low, high = number(match[1]), number(match[3])
    return f"{low} to {high} {_ALL[match[2]][1]}" if low and high else None


def _height(match: re.Match[str]) -> str:
    feet, inches = number(match[1] or match[3]), number(match[2] or match[4])
    return f"{feet} foot {inches}"


def _part_of(match: re.Match[str]) -> str:
    """½ km, 1 1/2 km"""
    more = re.search(
        rf"[0-9]{SPACE}?(?:[0-9]{{1,2}}/[0-9]{{1,2}}|[¼-¾⅐-⅞]) ?$",
        match.string[max(0, match.start() - 12) : match.start()],
    )
    name = _ALL[match[1]][1 if more else 0]
    return name + (" per " + _PER[match[2][1:]] if match[2] else "")


def _among_words(match: re.Match[str]) -> str:
    return _ALL[match.group()][1]


_BEFORE = r"(?<![\w.,/:-])"
_UNIT = rf"({choice(_ALL)})(/(?:{choice(_PER)}))?(?![^\W_]|['’][^\W_])"
MEASURES: list[Rule] = [
    rule(
        rf"(?<![\w.,])([0-9]{{1,2}})['’′]{SPACE}?([0-9]{{1,2}})(?:\"|”|″|'')|(?<!\w)([4-7])['’]([0-9]|1[01])(?!\w)",
        _height,
    ),
    rule(rf"{_BEFORE}({TOKEN}){SPACE}?({choice(_ALL)}){DASH}({TOKEN}){SPACE}?\2(?![^\W_]|/)", _from_to),
    rule(
        rf"((?<![\w)\]%°.,])[-−+±~])?(?<!/)(?:({TOKEN})({DASH}))?({TOKEN})({SPACE}|-)?{_UNIT}(\.(?!\w))?",
        _measure,
    ),
    rule(rf"(?:(?<=[¼-¾⅐-⅞])|(?<=[¼-¾⅐-⅞] )|(?<=/[0-9] )){_UNIT}", _part_of),
    rule(rf"(?<![\w/°])(?:{choice(_AMONG_WORDS)})(?![\w/])", _among_words),
]
