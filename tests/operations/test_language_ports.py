import pytest

from serve_app.language.dates import QuestionDates
from serve_app.language.sentences import Sentences
from serve_app.operations.language_ports import Calendar, SentenceSplitter
from tests.operations.twins import check_calls


@pytest.mark.parametrize(
    ("port", "twin"), [(SentenceSplitter, Sentences), (Calendar, QuestionDates)]
)
def test_a_twin_answers_the_very_calls_of_its_port(port: type, twin: type) -> None:
    check_calls(port, twin)
