"""The engine on real models, against `llama_cpp.Llama` with the logits of every token."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bounded
import numpy as np
import pytest

from rag_rationale.config import load_settings
from rag_rationale.errors import BackendError
from rag_rationale.generation import open_engine
from rag_rationale.generation.batching import EVEN_ROWS, Row
from rag_rationale.generation.llama import LlamaEngine
from rag_rationale.models import resolve
from rag_rationale.types import GenerateRequest, ScoreRequest

ENGLISH = (
    ("Guests at the riverside hotel say the breakfast buffet was", " wonderful and fresh"),
    ("You loved live music nights, and people here mention", " the jazz trio on Fridays"),
    ("Reviewers praise this backpack for its", " padded straps"),
    ("The staff were friendly but the room was", " small, dark and noisy"),
    ("One guest found the pool ", "colder than expected"),
    ("Review: great value.\nPhrase:", " great value\n"),
    ("The museum's opening hours are un", "believably short"),
    ("Price: $19.9", "9 per night"),
    ("“Worth every penny", "”, wrote one visitor"),
    ("A film about <eos> and </s> tags, says", " <end_of_turn> the critic"),
)
CHINESE = (
    ("这家酒店的早餐", "非常新鲜"),
    ("住客提到房间", "有点吵"),
    ("有评论说这款背包的肩带", "很舒服，适合长时间使用"),
    ("您喜欢安静的咖啡馆，而这里", "离地铁站很近"),
    ("服务员态度很", "好，但是上菜慢"),
    ("评论：位置方便。\n短语：", "位置方便\n"),
    ("性价", "比很高"),
    ("这部电影的配", "乐令人难忘😀"),
    ("价格是 ", "199 元"),
    ("电池续航", "能用整整两天"),
)


def path_of(name: str) -> Path:
    path = resolve(name, "writer", folder=load_settings().models).path
    assert path is not None
    return path


@pytest.fixture(scope="module")
def gemma() -> Path:
    return path_of("gemma-3-270m-en-zh")


@pytest.fixture(scope="module")
def engine(gemma: Path) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(gemma, threads=2, context=2048)
    yield engine
    engine.close()


class Oracle:
    """Log-probabilities by one plain evaluation of the whole text, in float64.

    Runs llama.cpp's kernels of the same rounding: attention fused, weights not repacked, 32 rows at a time (the text is
    filled up behind, which no earlier token can see).
    """

    def __init__(self, path: Path) -> None:
        import llama_cpp

        how = llama_cpp.llama_cpp.llama_model_default_params()
        how.use_extra_bufts = False
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(llama_cpp.llama_cpp, "llama_model_default_params", lambda: how)
            self.model = llama_cpp.Llama(
                str(path),
                n_ctx=512,
                n_batch=32,
                n_ubatch=32,
                n_threads=2,
                logits_all=True,
                flash_attn=True,
                verbose=False,
            )

    def tokens(self, text: str) -> list[int]:
        return self.model.tokenize(text.encode(), add_bos=self.model.metadata.get(ADD_BOS) != "false", special=False)

    def score(self, prefix: str, candidate: str) -> tuple[float, int]:
        stem, whole = self.tokens(prefix.rstrip(" ")), self.tokens(prefix + candidate)
        boundary = next((i for i, (a, b) in enumerate(zip(stem, whole, strict=False)) if a != b), len(stem))
        self.model.reset()
        self.model.eval(whole + [whole[-1]] * (-len(whole) % 32))
        logits = np.asarray(self.model.scores[: len(whole)], np.float64)
        normaliser = np.logaddexp.reduce(logits, axis=1)
        return sum(logits[i - 1, whole[i]] - normaliser[i - 1] for i in range(boundary, len(whole))), len(
            whole
        ) - boundary


ADD_BOS = "tokenizer.ggml.add_bos_token"


def check_against_oracle(path: Path, engine: LlamaEngine) -> None:
    oracle = Oracle(path)
    for prefix, candidate in (*ENGLISH, *CHINESE):
        (score,) = engine.score(ScoreRequest(prefix, (candidate,)))
        expected, tokens = oracle.score(prefix, candidate)
        assert score.tokens == tokens, (prefix, candidate)
        assert score.logprob == pytest.approx(expected, abs=0.05), (prefix, candidate)
    oracle.model.close()


@pytest.mark.slow
def test_scores_are_those_of_a_plain_evaluation_of_the_whole_text(gemma: Path, engine: LlamaEngine) -> None:
    check_against_oracle(gemma, engine)


@pytest.mark.slow
def test_a_model_with_another_tokeniser_and_no_opening_token_scores_right_too() -> None:
    path = path_of("smollm2-135m-instruct")
    engine = LlamaEngine(path, threads=2, context=1024)
    try:
        check_against_oracle(path, engine)
    finally:
        engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [ENGLISH, CHINESE])
def test_a_score_does_not_depend_on_what_is_cached_or_asked_beside_it(
    gemma: Path, engine: LlamaEngine, pairs: tuple[tuple[str, str], ...]
) -> None:
    template = "\n".join(p + c for p, c in pairs) + "\n"
    candidates = tuple(c for _, c in pairs[:4])
    request = ScoreRequest(template + pairs[0][0], candidates, shared=len(template))
    fresh = LlamaEngine(gemma, threads=2, context=2048)
    expected = [fresh.score(ScoreRequest(request.prefix, (c,)))[0].logprob for c in candidates]
    first = fresh.evaluated_tokens
    fresh.close()
    engine.score(ScoreRequest(template + "x", candidates[:1], shared=len(template)))
    engine.score(ScoreRequest("Something else", candidates))
    before = engine.evaluated_tokens
    scores = engine.score(request)
    assert engine.evaluated_tokens - before < first / 4
    assert [s.logprob for s in scores] == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gemma-3-270m-en-zh", "smollm2-135m-instruct"])
def test_a_row_tells_the_same_to_the_bit_at_whatever_width(name: str) -> None:
    from rag_rationale.generation.native import Native

    sequences = range(1, EVEN_ROWS[-1] + 1)
    native = Native(path_of(name), threads=2, context=1024, sequences=len(sequences) + 1)
    dice = random.Random(6)
    head = [native.opener, *(dice.randrange(300, 40_000) for _ in range(520))]  # so many cells that a lone row differs
    told = set()
    try:
        for start in range(0, len(head), 40):
            native.decode([Row(token, start + i, (0,)) for i, token in enumerate(head[start : start + 40])])
        for sequence in sequences:
            native.copy(0, sequence, 0)
        for width in (2, 3, 4, 5, 7, 8, 12, 13, 16, 17, 33, 63):
            for place, asking in ((0, 1), (width - 1, 2), (width // 2, width)):
                for at in range(2):  # the second one reads what the first one has written
                    others = [Row(dice.randrange(300, 40_000), len(head) + at, (2 + i,)) for i in range(width - 1)]
                    rows = [*others[:place], Row(700 + at, len(head) + at, (1,)), *others[place:]]
                    order = sorted(range(width), key=lambda i: i != place)  # ours first: it always asks
                    asks = set(order[:asking])
                    logits = native.decode([replace(row, logits=i in asks) for i, row in enumerate(rows)])
                    told.add((at, logits[sorted(asks).index(place)].tobytes()))
                for sequence in sequences:
                    native.truncate(sequence, len(head))
            assert len(told) == 2, f"{width} rows"
    finally:
        native.close()


@pytest.mark.slow
def test_a_text_does_not_depend_on_how_full_the_context_is(gemma: Path) -> None:
    requests = [GenerateRequest(prefix, max_tokens=12, logprobs=True) for prefix, _ in (*ENGLISH[:3], *CHINESE[:3])]
    engine = LlamaEngine(gemma, threads=2, context=2048)
    try:
        empty = [[(e.text, e.logprob) for e in engine.generate(request)] for request in requests]
        long = "The guests were very happy with it. " * 80
        engine.score(ScoreRequest(long, (" Really",), shared=len(long)))
        assert engine.evaluated_tokens > 600
        assert [[(e.text, e.logprob) for e in engine.generate(request)] for request in requests] == empty
    finally:
        engine.close()


@pytest.mark.slow
def test_alternating_templates_stay_resident(engine: LlamaEngine) -> None:
    templates = [f"{name}: " + "a guest praised the quiet rooms, " * 15 for name in ("One", "Two", "Three")]
    costs = []
    for turn in range(9):
        shared = templates[turn % 3]
        before = engine.evaluated_tokens
        engine.score(ScoreRequest(f"{shared}and no. {turn}", (" yes", " no"), shared=len(shared)))
        costs.append(engine.evaluated_tokens - before)
    assert min(costs[:3]) > 100
    assert max(costs[3:]) < 10


@pytest.mark.slow
def test_a_choice_is_one_of_the_allowed_strings(engine: LlamaEngine) -> None:
    dice = random.Random(2)
    pool = [c for _, c in (*ENGLISH, *CHINESE)] + [
        "quiet",
        "quiet rooms",
        "quiet rooms by the sea",
        "安静",
        "安静的房间",
    ]
    places = set()
    for _ in range(30):
        choices = tuple(dice.sample(pool, dice.randrange(2, 9)))
        prefix = dice.choice((*ENGLISH, *CHINESE))[0]
        events = list(engine.generate(GenerateRequest(prefix, choices=choices, stop=("\n",))))
        assert [e.finish for e in events] == ["choice"]
        assert events[0].text in choices
        places.add(choices.index(events[0].text))
    assert len(places) > 3


@pytest.mark.slow
def test_the_choice_fits_what_the_prompt_says(engine: LlamaEngine) -> None:
    english = "Question: What is the capital of France? Answer:"
    chinese = "问：中国的首都是哪里？答："
    choices = (" Rome", " Paris", " Madrid")
    assert next(engine.generate(GenerateRequest(english, choices=choices))).text == " Paris"
    assert next(engine.generate(GenerateRequest(chinese, choices=("东京", "伦敦", "北京")))).text == "北京"


@pytest.mark.slow
def test_threads_that_ask_at_once_get_what_each_gets_alone(engine: LlamaEngine) -> None:
    requests = [ScoreRequest(p, tuple(c for _, c in pairs[:5])) for pairs in (ENGLISH, CHINESE) for p, _ in pairs[:4]]
    alone = [engine.score(request) for request in requests]
    writing = GenerateRequest(ENGLISH[0][0], max_tokens=8)
    text = "".join(e.text for e in engine.generate(writing))
    with bounded.Threads(4, seconds=300) as threads:
        texts = [threads.submit(lambda: "".join(e.text for e in engine.generate(writing))) for _ in range(2)]
        together = list(threads.map(engine.score, requests))
        assert [t.result() for t in texts] == [text, text]
    for one, other in zip(alone, together, strict=True):
        assert [s.logprob for s in one] == pytest.approx([s.logprob for s in other], abs=1e-4)


def slots(count: int) -> list[ScoreRequest | GenerateRequest]:
    """Requests of every kind in both languages, behind two templates or none."""
    dice = random.Random(8)
    requests: list[ScoreRequest | GenerateRequest] = []
    for turn in range(count):
        pairs = dice.choice((ENGLISH, CHINESE))
        template = dice.choice(("", "\n".join(p + c for p, c in pairs) + "\n"))
        prefix = template + dice.choice(pairs)[0]
        words = tuple(c for _, c in dice.sample(pairs, 4))
        if turn % 3 == 0:
            requests.append(ScoreRequest(prefix, words, shared=len(template)))
        elif turn % 3 == 1:
            requests.append(GenerateRequest(prefix, choices=words, shared=len(template)))
        else:
            length, temperature = dice.randrange(1, 16), dice.choice([0.0, 0.9])
            requests.append(GenerateRequest(prefix, length, ("\n",), temperature, turn, len(template), logprobs=True))
    return requests


def answer(engine: LlamaEngine, request: ScoreRequest | GenerateRequest) -> object:
    return engine.score(request) if isinstance(request, ScoreRequest) else list(engine.generate(request))


@pytest.mark.slow
def test_over_200_slots_every_answer_is_bit_equal_to_that_of_the_engine_alone(gemma: Path) -> None:
    requests = slots(200)
    calm = LlamaEngine(gemma, threads=2, context=2048)
    alone = [answer(calm, request) for request in requests]
    calm.close()
    busy = LlamaEngine(gemma, threads=2, context=1024)  # so small that it is cleared several times
    try:
        with bounded.Threads(16, seconds=600) as threads:
            order = random.Random(3).sample(range(200), 200)
            together = dict(zip(order, threads.map(lambda i: answer(busy, requests[i]), order), strict=True))
        assert [i for i, one in enumerate(alone) if together[i] != one] == []
    finally:
        busy.close()


@pytest.mark.slow
def test_ten_thousand_slots_leave_memory_flat() -> None:
    engine = LlamaEngine(path_of("smollm2-135m-instruct"), threads=2, context=1024)
    dice = random.Random(5)

    def slot(turn: int) -> None:
        word = "".join(dice.choice("abcdefgh") for _ in range(3))
        if turn % 50 == 0:
            events = engine.generate(GenerateRequest(f"{word} is", max_tokens=40))
            next(events)
            del events  # a client that went away
        elif turn % 2:
            assert engine.score(ScoreRequest(word, (" a", " b")))[1].tokens == 1
        else:
            assert list(engine.generate(GenerateRequest(word, max_tokens=1)))[-1].finish == "length"

    try:
        with bounded.Threads(24, seconds=900) as threads:
            list(threads.map(slot, range(2000)))
            before = resident_megabytes()
            list(threads.map(slot, range(8000)))
        assert resident_megabytes() - before < 10
    finally:
        engine.close()


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
@pytest.mark.parametrize("prefix", [ENGLISH[0][0], "这家酒店的早餐很好，"])
def test_text_ends_before_a_stop_string_that_spans_tokens(engine: LlamaEngine, prefix: str) -> None:
    events = list(engine.generate(GenerateRequest(prefix, max_tokens=24)))
    text = "".join(e.text for e in events)
    assert events[-1].finish == "length"
    assert "\ufffd" not in text
    first, second = events[4].text, events[5].text
    stop = first[-1] + second[:2]
    stopped = list(engine.generate(GenerateRequest(prefix, max_tokens=24, stop=(stop,))))
    assert "".join(e.text for e in stopped) == text[: text.index(stop)]
    assert stopped[-1].finish == "stop"


@pytest.mark.slow
def test_a_space_at_the_end_of_the_prompt_does_not_change_the_text(engine: LlamaEngine) -> None:
    spaced, bare = (
        "".join(e.text for e in engine.generate(GenerateRequest(f"The breakfast was{end}", max_tokens=8)))
        for end in (" ", "")
    )
    assert bare == f" {spaced}"


@pytest.mark.slow
def test_typed_control_tokens_are_plain_text(gemma: Path) -> None:
    from rag_rationale.generation.native import C, Native

    native = Native(gemma, threads=1, context=512, sequences=2)
    try:
        for hostile in ("<eos>", "<bos>", "</s>", "<start_of_turn>model\n", "<end_of_turn>", "<unused7>"):
            tokens = native.tokenise(f"good{hostile}{hostile} hotel")
            assert tokens[0] == native.opener
            control = [t for t in tokens[1:] if C.llama_vocab_is_control(native._vocab, t) or native.ends(t)]
            assert control == []
            assert b"".join(map(native.piece, tokens[1:])).decode() == f"good{hostile}{hostile} hotel"
    finally:
        native.close()


@pytest.mark.slow
def test_too_long_a_prompt_is_refused_and_the_engine_goes_on(engine: LlamaEngine) -> None:
    with pytest.raises(BackendError, match=r"prompt has \d{4} tokens .* holds 2045.*context"):
        engine.score(ScoreRequest("very " * 3000, (" good",)))
    with pytest.raises(BackendError, match="tokens"):
        list(engine.generate(GenerateRequest("very " * 3000)))
    assert engine.score(ScoreRequest("The room was", (" good",)))[0].tokens == 1


@pytest.mark.slow
def test_a_native_fault_is_told_and_the_engine_goes_on(engine: LlamaEngine) -> None:
    from rag_rationale.generation import native

    request = ScoreRequest(ENGLISH[0][0], (ENGLISH[0][1],), shared=10)
    expected = engine.score(request)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native.C, "llama_decode", lambda *_: 1)
        with pytest.raises(BackendError, match=r"code 1"):
            engine.score(request)
        with pytest.raises(BackendError, match=r"code 1"):
            list(engine.generate(GenerateRequest("The room")))
    assert engine.score(request) == expected


@pytest.mark.slow
def test_closing_ends_the_engine_and_a_broken_file_is_refused(
    gemma: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = open_engine(gemma, name="writer", threads=1, context=512)
    assert (engine.name, engine.context_tokens) == ("writer", 512)
    assert engine.capabilities >= {"logprobs", "choices", "generate"}
    engine.close()
    engine.close()
    with pytest.raises(BackendError, match="'writer' is closed"):
        engine.score(ScoreRequest("a", ("b",)))
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(gemma.read_bytes()[:100_000])
    with pytest.raises(BackendError, match=r"cannot load .*broken\.gguf"):
        open_engine(broken)
    assert capfd.readouterr() == ("", "")
