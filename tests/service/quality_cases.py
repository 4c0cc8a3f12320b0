"""What LoCoMo does not show, case by case: what is stored, what is asked, who must find it.

The first memory of a case is the one to be found; the others are there to mislead. Every case is
asked as of NOW under each profile of `passes`. `limits` are what the model itself cannot do, with
the reason; docs/quality.md tells them, and what else a profile does not find.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

VECTOR, DECAY, BLEND, HYBRID, CONVERSATION = (
    "decay:alpha=1",
    "decay",
    "blend",
    "hybrid",
    "conversation",
)
EVERY = (VECTOR, DECAY, BLEND, HYBRID, CONVERSATION)
ALONE = (VECTOR, DECAY, BLEND, HYBRID)
"""All but `conversation`: it takes facts that were stored within minutes for one talk."""

WORDS = (HYBRID, CONVERSATION)
RECENCY = (DECAY, BLEND)

DENIAL = "the model hears what is spoken of, not whether it is denied"


@dataclass(frozen=True, slots=True)
class Case:
    """`memories` are texts with their age in days; the first must be among the best `within`."""

    name: str
    memories: tuple[tuple[str, float], ...]
    question: str
    passes: tuple[str, ...]
    limits: Mapping[str, str] = field(default_factory=dict[str, str])
    within: int = 1


def aged(*texts: str, days: float = 10) -> tuple[tuple[str, float], ...]:
    """The texts, a minute apart, the first the oldest."""
    return tuple((text, days - place / 1440) for place, text in enumerate(texts))


FILLER = " ".join(
    f"In chapter {n} the author walks along the coast, counts gulls and thinks of supper."
    for n in range(60)
)

CASES = (
    Case(
        "the current value beats the superseded one",
        (
            ("I moved to Lisbon last week and live there now.", 3),
            ("I live in Berlin.", 400),
            ("In Lisbon the pastry is better than anywhere else.", 60),
        ),
        "In which city do I live?",
        (DECAY,),
    ),
    Case(
        "a new price beats the old one",
        (
            ("The premium plan costs 49 euros a month.", 20),
            ("The premium plan costs 39 euros a month.", 500),
            ("The basic plan costs 9 euros a month.", 10),
        ),
        "How much does the premium plan cost a month?",
        RECENCY,
    ),
    Case(
        "the state of now is the last one told",
        (
            ("The build of the payment service is green.", 0.1),
            ("The build of the payment service is red.", 12),
            ("The build of the payment service is red.", 30),
            ("The payment service was written in Go.", 300),
        ),
        "What is the state of the build of the payment service now?",
        RECENCY,
    ),
    Case(
        "an old fact is found under new small talk",
        (
            ("My blood type is zero negative.", 900),
            ("I had pasta for lunch.", 0.1),
            ("The weather is fine today.", 0.2),
        ),
        "What is my blood type?",
        EVERY,
    ),
    Case(
        "who does not",
        aged(
            "Omar does not eat fish.",
            "Lena eats fish every Friday.",
            "Ravi likes fish with lemon.",
            "Mia eats fish and rice.",
        ),
        "Who does not eat fish?",
        ALONE,
    ),
    Case(
        "what failed is not what succeeded",
        aged(
            "The backup of Tuesday did not finish, the disk was full.",
            "The backup of Monday finished well.",
            "The backup of Wednesday finished well.",
        ),
        "Which backup failed?",
        EVERY,
    ),
    Case(
        "who can, where another cannot",
        aged(
            "Olga learned to swim as a child.",
            "Nils cannot swim.",
            "Rolf sails, and Pia has a boat.",
        ),
        "Who can swim?",
        (),
        dict.fromkeys(EVERY, DENIAL),
    ),
    Case(
        "the number that was asked for",
        aged(
            "Invoice 4712 was paid by card.",
            *(f"Invoice {n} was paid by transfer." for n in (4711, 4721, 4172, 4713, 7412)),
        ),
        "How was invoice 4712 paid?",
        WORDS,
    ),
    Case(
        "the version that was asked for",
        aged(
            "Staging runs on version 14.",
            "Production runs on version 16.",
            "The laptop of Ann runs on version 15.",
            "The museum runs on version 9.",
        ),
        "What runs on version 14?",
        WORDS,
    ),
    Case(
        "one of many names",
        aged(
            "Katarzyna Wojcik leads the legal team.",
            "Katarina Vojtech leads the sales team.",
            "Katherine Wood leads the support team.",
            "Karolina Wozniak leads the finance team.",
        ),
        "Which team does Katarzyna Wojcik lead?",
        WORDS,
    ),
    Case(
        "an error code",
        aged(
            "The upload stops with EQX7731 when the disk is full.",
            "The upload stops with EQX7713 when the network is slow.",
            "The upload stops with EQZ7731 when the file has no name.",
            "Errors of uploads are told in the log.",
        ),
        "EQX7731",
        WORDS,
    ),
    Case(
        "a ticket",
        aged(
            "OPS-20817: the lift of the warehouse is stuck.",
            "OPS-20818: the door of the warehouse is stuck.",
            "OPS-20871: the window of the office is broken.",
            "Tickets of the warehouse go to Ben.",
        ),
        "What is OPS-20817 about?",
        WORDS,
    ),
    Case(
        "a commit",
        aged(
            "Commit 9f3c1ab broke the login.",
            "Commit 7be20cd broke the search.",
            "Commit 9f3c7de broke the export.",
            "Every commit is reviewed by two people.",
        ),
        "What did 9f3c1ab break?",
        WORDS,
    ),
    Case(
        "other words for the same",
        aged(
            "My little boy cannot stand broccoli.",
            "The canteen orders its vegetables on Monday.",
            "My son plays chess.",
            "Which train goes to the lake is written on the board.",
        ),
        "Which vegetables does my son dislike?",
        (VECTOR, DECAY, BLEND),
    ),
    Case(
        "not one word in common",
        aged(
            "The physician told Ann to rest because of her flu.",
            "The plumber mended the sink.",
            "Ben bought a bicycle.",
            "The orchestra plays on Sunday.",
        ),
        "Who is ill?",
        EVERY,
    ),
    Case(
        "Cyrillic",
        aged(
            "Мария живёт в Новосибирске и работает врачом.",
            "Иван купил красный велосипед.",
            "Завтра будет дождь и ветер.",
            "Поезд отходит в девять часов.",
        ),
        "Где живёт Мария?",
        EVERY,
    ),
    Case(
        "Greek",
        aged(
            "Η Ελένη δουλεύει σε φαρμακείο.",
            "Το τρένο φεύγει στις εννέα.",
            "Ο Νίκος αγόρασε ένα ποδήλατο.",
            "Αύριο θα βρέξει.",
        ),
        "Πού δουλεύει η Ελένη;",
        EVERY,
    ),
    Case(
        "Arabic",
        aged(
            "تعمل فاطمة في مستشفى المدينة.",
            "اشترى أحمد دراجة حمراء.",
            "سوف تمطر غدا.",
            "يغادر القطار في التاسعة.",
        ),
        "أين تعمل فاطمة؟",
        EVERY,
    ),
    Case(
        "Hindi",
        aged(
            "सुनीता अस्पताल में काम करती है।",
            "राम ने लाल साइकिल खरीदी।",
            "कल बारिश होगी।",
            "रेलगाड़ी नौ बजे जाती है।",
        ),
        "सुनीता कहाँ काम करती है?",
        EVERY,
    ),
    Case(
        "Korean",
        aged(
            "민준은 부산 병원에서 일한다.",
            "지우는 빨간 자전거를 샀다.",
            "내일은 비가 온다.",
            "기차는 아홉 시에 떠난다.",
        ),
        "민준은 어디에서 일한다?",
        EVERY,
    ),
    Case(
        "Chinese",
        aged("王芳在北京的医院工作。", "李明买了一辆红色自行车。", "明天会下雨。", "火车九点开。"),
        "王芳在哪里工作?",
        EVERY,
    ),
    Case(
        "Japanese",
        aged(
            "田中さんは大阪の病院で働く。",
            "佐藤さんは赤い自転車を買った。",
            "明日は雨です。",
            "電車は九時に出ます。",
        ),
        "田中さんはどこで働く?",
        EVERY,
    ),
    Case(
        "the end of a long memory",
        (
            (f"{FILLER} The spare key of the boat hangs behind the clock. {FILLER[:500]}", 10),
            ("The boat needs new paint.", 10),
            ("The clock in the hall is slow.", 10),
            (FILLER, 10),
        ),
        "Where is the spare key of the boat?",
        EVERY,
    ),
    Case(
        "a code within a long memory",
        (
            (f"{FILLER[:2000]} The alarm is switched off with ZK4471. {FILLER[:2000]}", 10),
            ("The alarm is switched off with a code.", 10),
            ("The alarm was loud on Sunday.", 10),
        ),
        "ZK4471",
        WORDS,
    ),
    Case(
        "the answer stands beside what names it",
        aged(
            "Ann: On Thursday at nine.",
            "Bob: When does your flight to Oslo leave?",
            "Ann: I like window seats.",
            "Bob: My plants are thirsty.",
        )
        + aged("Ann: Oslo is cold in May.", "Bob: I prefer flights by day.", days=40),
        "When does the flight of Ann to Oslo leave?",
        (CONVERSATION,),
        within=2,
    ),
    Case(
        "what was said on a day",
        (
            ("We painted the fence and drank lemonade.", 27.8),
            ("We repaired the roof and drank tea.", 60),
            ("We planted beans and drank coffee.", 90),
            ("We did a lot on that day.", 5),
        ),
        "What did we do on 4 May 2026?",
        (CONVERSATION,),
    ),
)
