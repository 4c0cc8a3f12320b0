# ruff: noqa: RUF001 - words and signs of other scripts are the very subject here.

import pytest

from serve_app.core.anchors import find_anchors, is_negated, ordinary_openers
from serve_app.core.tokens import tokenise

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("sentence", "anchors"),
    [
        ("she paid 40 euros", {"40"}),
        ("she paid -5.50 (about 3%)", {"-5.50", "3%"}),
        ("room ４２, ½ full", {"４２", "½"}),
        ("she met Ann in eBay", {"Ann", "eBay"}),
        ("write to ann@b.org or see https://b.org/x", {"ann@b.org", "https://b.org/x"}),
        ("order ab-x and #tag", {"ab-x", "#tag"}),
        ("so said Anne-Marie", {"Anne-Marie"}),
        ("it is 👍 and €", {"👍", "€"}),
        ("is it so?", {"?"}),
        ("rock 'n’ roll’s", {"not: rock n roll s"}),
        ("ann's cat", set()),
        ("", set()),
        ("李雷来", {"李雷", "雷来"}),
        ("გიორგი came", {"გიორგი"}),
        ("דוד שמח", {"דוד", "שמח"}),
        ("订单4000，好。", {"订单", "4000", "好"}),
    ],
)
def test_anchors(sentence: str, anchors: set[str]) -> None:
    assert find_anchors(sentence, NOBODY) == anchors


def test_the_first_word_is_a_name_unless_proven_ordinary() -> None:
    assert find_anchors("Bill came", NOBODY) == {"Bill"}
    assert find_anchors("Bill came", frozenset({"Bill"})) == set()
    assert find_anchors("Bill saw Bill", frozenset({"Bill"})) == {"Bill"}


def test_a_negation_carries_its_whole_sentence() -> None:
    first = find_anchors("ann did not beat bob", NOBODY)
    assert first == {"not: ann did not beat bob"}
    assert first == find_anchors("ann did NOT beat bob!", NOBODY) - {"NOT"}
    assert first != find_anchors("bob did not beat ann", NOBODY)


@pytest.mark.parametrize(
    "sentence",
    [
        "he will not come",
        "he doesn't come",
        "he doesn’t come",
        "il n'est pas venu",
        "Er kommt nicht.",
        "nunca viene",
        "он не пришёл",
        "δεν ήρθε",
        "他没有来",
        "彼は来ない",
        "来ませんでした",
        "그는 오지 않았다",
        "เขาไม่มา",
        "वह नहीं आया",
        "لم يأت",
        "הוא לא בא",
        "o gelmedi",
        "gelmiyor",
        "نمی‌آید",
        "সে আসে নয়",
    ],
)
def test_negations_of_many_languages(sentence: str) -> None:
    assert is_negated(sentence, tokenise(sentence))


@pytest.mark.parametrize("sentence", ["he comes", "Er kommt.", "он пришёл", "社交媒体", "media"])
def test_affirmations(sentence: str) -> None:
    assert not is_negated(sentence, tokenise(sentence))


def openers(*sentences: str) -> frozenset[str]:
    return ordinary_openers([tokenise(s) for s in sentences], frozenset({"the", "bill", "will"}))


def test_an_opener_is_ordinary_by_three_proofs() -> None:
    assert openers("The cat", "see the cat") == {"The"}
    assert openers("The cat") == frozenset()  # never seen uncapitalised
    assert openers("Cat", "a cat") == frozenset()  # no stop word
    assert openers("Will went", "he will", "so Will went") == frozenset()  # a name elsewhere
    assert openers("THE cat", "see the cat") == frozenset()  # written large, not begun
    assert openers() == frozenset()
