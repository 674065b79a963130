"""Chinese spans and polarity: what may be reported, and what must not be. All texts are invented."""

from __future__ import annotations

import pytest

from rag_rationale.language.chinese import Chinese


@pytest.fixture(scope="module")
def zh() -> Chinese:
    return Chinese()


def of(zh: Chinese, text: str, *shapes: str) -> dict[str, str]:
    return {s.text: s.polarity for s in zh.spans(text) if s.shape in shapes}


@pytest.mark.parametrize(
    ("text", "clause", "polarity"),
    [
        ("节奏紧凑，演技在线。", "节奏紧凑，演技在线", "positive"),
        ("演员演得太好了。", "演员演得太好了", "positive"),
        ("画面唯美 配乐动人 结局圆满", "画面唯美，配乐动人", "positive"),
        ("灯臂的做工挺扎实的就是底座有点重。", "灯臂的做工挺扎实", "positive"),
        ("灯臂的做工挺扎实的就是底座有点重。", "底座有点重", "negative"),
        ("导演把小镇的冬天拍得很美。", "导演把小镇的冬天拍得很美", "positive"),
        ("被女主的眼神圈粉了。", "被女主的眼神圈粉了", "positive"),
        ("讲解员讲得清清楚楚，孩子们听得入迷。", "讲解员讲得清清楚楚，孩子们听得入迷", "positive"),
        ("演员的表演，非常到位。", "演员的表演非常到位", "positive"),
        ("剧情、配乐和摄影都很出色。", "剧情、配乐和摄影都很出色", "positive"),
        ("特效不如前作。", "特效不如前作", "negative"),
        ("比预告片精彩多了。", "比预告片精彩多了", "positive"),
        ("值得一看再看。", "值得一看再看", "positive"),
        ("书里的插图印得很清楚。", "书里的插图印得很清楚", "positive"),
        ("背包容量大，而且很轻便。", "背包容量大，而且很轻便", "positive"),
        ("老演员演技扎实。", "老演员演技扎实", "positive"),
        ("好几个配角都有戏。", "好几个配角都有戏", "positive"),
        ("几个配角也很出彩。", "几个配角很出彩", "positive"),
        ("配角的演技也是很不错。", "配角的演技很不错", "positive"),
        ("配乐真的很动听呀！", "配乐真的很动听", "positive"),
        ("我觉得小镇的风景很美。", "小镇的风景很美", "positive"),
        ("这部剧节奏很紧凑。", "这部剧节奏很紧凑", "positive"),
        ("内胆是不锈钢的。", "内胆是不锈钢的", "neutral"),
        ("箱子外面有点脏，里面倒是干净的。", "箱子外面有点脏", "negative"),
    ],
)
def test_a_unit_is_a_clause_in_its_own_words(zh: Chinese, text: str, clause: str, polarity: str) -> None:
    found = of(zh, text, "clause")
    assert found.get(clause) == polarity, found


@pytest.mark.parametrize(
    "text",
    [
        "他演得很好。",
        "这种套路看腻了。",
        "看完之后。",
        "关于友情和成长。",
        "如果喜欢安静，这里的院子很合适。",
        "要是再轻一点就好了吗？",
        "难道这也算喜剧？",
        "哪里好看了。",
        "不错！",
        "很好看。",
        "让人心疼的小人物。",
        "剧情越好。",
        "我家的灯臂断了。",
        "范小舟演的。",
        "好书推荐。",
        "警察在天亮前的六个小时里。",
        "服务员他妈的很拽。",
        "终于有一部没配音的剧了好看。",
        "对友情的歌颂以及真实面对离别。",
        "天一黑，整个院子就安静了。",
        "剧情漏洞列一下。",
        "缺点简单说几点。",
        "到了门口才说要换票，海报上一句没写，排了两小时队白跑。",
        "孩子画过一次都擦干净了。",
        "黑麦粉的发酵面包。",
        "船长在停航前的最后七天里，护送一批失踪的货箱。",
    ],
)
def test_what_depends_on_more_than_itself_is_no_clause(zh: Chinese, text: str) -> None:
    assert of(zh, text, "clause", "liking", "identity") == {}


@pytest.mark.parametrize(
    "text",
    [
        "真的诚意之作！",
        "经典谍战剧，超级稳。",
        "在邻居的推荐下看了。",
        "太好看了小船开得太美了。",
        "山谷里的粮仓改建旅馆。",
    ],
)
def test_what_only_names_or_runs_on_is_no_clause(zh: Chinese, text: str) -> None:
    assert of(zh, text, "clause") == {}


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("山谷里的粮仓改建民宿，一共四间房。", {"山谷里的粮仓改建民宿": "neutral"}),
        ("比第二季还要狗血。", {}),
        ("隔一年再看依旧经典。", {}),
    ],
)
def test_what_is_made_of_something_is_called_so(zh: Chinese, text: str, spans: dict[str, str]) -> None:
    assert of(zh, text, "identity") == spans


def test_sentences_without_a_mark_between_them_are_told_with_one(zh: Chinese) -> None:
    found = of(zh, "剧情紧凑画面精美。", "clause")
    assert found.keys() == {"剧情紧凑", "画面精美", "剧情紧凑，画面精美"}
    assert "做工精致程度很高" in of(zh, "做工精致程度很高。", "clause")


@pytest.mark.parametrize(
    "text",
    [
        "两位老演员都演的很好。",
        "好好休息多喝热水。",
        "勇气和创造，结尾处理得很稳。",
        "歌手好酷好",
        "剧情线发展的太慢了。",
        "吹的有点太过了。",
        "颜值演技服化道爆表。",
        "不错的样子演员演技都很在线。",
        "天赋太好了。",
        "离了配音就没有演技了。",
        "穿旗袍的样子真好看。",
        "伏笔又能从头到尾一直紧扣。",
        "从卖腐的设定来说并不是很好。",
        "服化道有点差强人意。",
        "特别是主角的戏太感动地。",
        "张小凡演的好。",
        "人物交代的很清楚。",
        "可以来说是很不错的了。",
        "表情到位。",
    ],
)
def test_what_is_misspelt_cut_off_or_said_to_others_is_no_clause(zh: Chinese, text: str) -> None:
    assert of(zh, text, "clause").keys() <= {"结尾处理得很稳"}


def test_what_an_item_is_by_its_kind_is_no_part_of_it(zh: Chinese) -> None:
    assert of(zh, "好几年没看到这么精彩的科幻片了。", "np") == {}
    assert "剧情" in of(zh, "剧情很精彩。", "np")


def test_what_is_so_too_keeps_its_word_where_it_needs_it(zh: Chinese) -> None:
    assert "选景组是用心" not in of(zh, "选景组也是用心！", "clause")
    assert "配角很出彩" in of(zh, "配角也很出彩。", "clause")


def test_a_last_one_keeps_its_place(zh: Chinese) -> None:
    assert not any(text.startswith("一课") for text in of(zh, "最后一课很感人。", "clause"))


def test_one_thing_takes_no_word_for_all_of_several(zh: Chinese) -> None:
    assert "配乐无可挑剔" in of(zh, "剧情，摄影，配乐都无可挑剔。", "clause")
    assert "剧情、摄影和配乐都很出色" in of(zh, "剧情、摄影和配乐都很出色。", "clause")
    assert "每个镜头都很美" in of(zh, "每个镜头都很美。", "clause")


@pytest.mark.parametrize(
    "text",
    [
        "2021.5.3 和同学重看一遍还是觉得好看。",
        "挺好的片子 只是结尾不太合胃口罢了。",
        "喜欢那样的哥哥和妹妹。",
        "很好看，期待第二季。",
        "喜欢这个频道很喜欢。",
        "越来越像他爸爸了还有吻戏。",
        "女主演的很好，推荐大家看。",
        "结尾里教授和校长下棋那一段配上彩蛋服用甚至觉得很催泪",
        "前面太厉害了 气球飞起来的那段美妙至极 后面略微乏味",
        "女主还是去演喜剧吧不适合大电影。",
        "五星给女主灵气十足。",
        "太好看了女主平安喜乐星途璀璨。",
        "没有想象力没有特色。",
        "包括演员的表现，也太硬了。",
        "我心中古装top 每一个角色我都很爱。",
    ],
)
def test_a_sentence_about_its_writer_to_others_or_careless_is_no_quotation(zh: Chinese, text: str) -> None:
    assert of(zh, text, "quote") == {}


def test_a_sentence_of_two_minds_neither_praises_nor_blames(zh: Chinese) -> None:
    assert of(zh, "摄影很美，但是有一段我没看懂。", "quote") == {"摄影很美，但是有一段我没看懂": "neutral"}


def test_what_is_worth_it_is_a_sentence_of_its_own(zh: Chinese) -> None:
    assert list(of(zh, "真的很不错值得一看。", "clause")) == ["值得一看"]


def test_a_particle_that_the_word_of_degree_does_not_take_is_left_out(zh: Chinese) -> None:
    assert list(of(zh, "两位主角的演技很自然了。", "clause")) == ["两位主角的演技很自然"]
    assert list(of(zh, "两位主角的演技太自然了。", "clause")) == ["两位主角的演技太自然了"]


def test_what_follows_a_named_subject_does_not_stand_alone(zh: Chinese) -> None:
    found = of(zh, "灯罩很漂亮，拧起来特别费劲。", "clause")
    assert "灯罩很漂亮" in found
    assert "拧起来特别费劲" not in found


@pytest.mark.parametrize(
    ("text", "liking", "polarity"),
    [
        ("不太喜欢结尾的反转。", "不太喜欢结尾的反转", "negative"),
        ("受不了男二的口音。", "受不了男二的口音", "negative"),
        ("我特别喜欢这部剧的配乐。", "特别喜欢这部剧的配乐", "positive"),
    ],
)
def test_likings_and_dislikes_lose_only_their_subject(zh: Chinese, text: str, liking: str, polarity: str) -> None:
    assert of(zh, text, "liking") == {liking: polarity}


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("这是一部让人放松的动画片。", "一部让人放松的动画片"),
        ("绝对经典的喜剧。", "经典的喜剧"),
        ("真是良心剧。", "良心剧"),
        ("很温情的电影，真好。", "很温情的电影"),
        ("太经典的一部歌舞片。", None),  # 这是经典的一部歌舞片 is no Chinese
        ("最经典的一部歌舞片。", "最经典的一部歌舞片"),
        ("不是一部好电影。", None),
        ("小镇也推出自己的动画。", None),
    ],
)
def test_what_a_reviewer_calls_the_thing(zh: Chinese, text: str, identity: str | None) -> None:
    assert list(of(zh, text, "identity")) == ([identity] if identity else [])


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("没那么好看", "negative"),
        ("不怎么好看", "negative"),
        ("片子没有预想的那么糟糕", "neutral"),
        ("片子没有预想的那么好看", "negative"),
        ("不算便宜", "negative"),
        ("不算重", "neutral"),
        ("有点短", "negative"),
        ("过于冗长", "negative"),
        ("好无聊", "negative"),
        ("不难看", "positive"),
        ("毫无违和感", "positive"),
        ("没什么缺点", "positive"),
        ("没什么新意", "negative"),
        ("很有新意", "positive"),
        ("没有演技", "negative"),
        ("除了男主颜值高一无是处", "negative"),
        ("怎么可能好看", "neutral"),
        ("难道还不好看", "neutral"),
        ("好看是好看", "neutral"),
        ("五毛特效", "negative"),
        ("老演员", "neutral"),
        ("好几个妹子都来了", "neutral"),
        ("没有第一部好看", "negative"),
        ("没有隔壁街那家老馆子好吃", "negative"),
        ("没有尿点很好看", "positive"),
        ("小青喜欢小白", "neutral"),
        ("孩子很喜欢", "positive"),
        ("结局圆满又温暖", "positive"),
    ],
)
def test_polarity_reads_degree_negation_exception_and_irony(zh: Chinese, text: str, polarity: str) -> None:
    assert zh.polarity(text) == polarity


def test_a_noun_is_praised_or_blamed_only_by_what_is_said_of_it(zh: Chinese) -> None:
    found = of(zh, "画面唯美，底座有点重，导演把小镇拍得很美。", "np")
    assert found["画面"] == "positive"
    assert found["底座"] == "negative"
    assert found["小镇"] == "neutral"


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("超级喜欢女主，绅士又大气。", "绅士又大气"),  # of her, not of the thing
        ("女主太美了，骄纵霸道又可爱。", "骄纵霸道又可爱"),
        ("为什么要配音？莫名其妙的感觉。", "莫名其妙的感觉"),  # of the dubbing
        ("女主演的非常好。", "女主演的非常好"),  # 演得
        ("单纯的看了一遍很不错。", "单纯的看了一遍很不错"),  # 单纯地
        ("将旧事拍的层层深入。", "将旧事拍的层层深入"),
        ("低楼层房间临街，订房页会标注。", "订房页会标注"),
        ("很好烘托了冷淡的主题。", "很好烘托了冷淡的主题"),  # 很好地
        ("渡口的播放室里，感动万分。", "渡口的播放室里，感动万分"),
        ("冷漠但深情的掌柜和神经又可爱的老板娘。", "冷漠但深情的掌柜和神经又可爱的老板娘"),
        ("制作很突出，尤其是湖边踢毽子和变身两场戏。", "湖边踢毽子和变身两场戏"),
    ],
)
def test_what_is_said_of_something_else_or_miswritten_is_no_clause(zh: Chinese, text: str, clause: str) -> None:
    assert clause not in of(zh, text, "clause")


def test_what_was_so_then_is_told_as_past(zh: Chinese) -> None:
    assert zh.irrealis("当时很喜欢")
    assert not zh.irrealis("现在很喜欢")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("小李服务很周到。", {"小李"}),
        ("客房经理王强态度很好。", {"王强"}),
        ("小镇的老人很热情。", set()),
        ("小说的结局很感人。", set()),
    ],
)
def test_private_people_are_seen_and_common_words_are_not(zh: Chinese, text: str, names: set[str]) -> None:
    assert {name for span in zh.spans(text) for name in span.names} == names


def test_clauses_end_cleanly_and_are_made_of_their_own_words(zh: Chinese) -> None:
    text = "不得不说，背带软，而且腰带也很稳呢！不过 拉链有点紧吧，箱子倒是挺结实的。"
    spans = [s for s in zh.spans(text) if s.shape == "clause"]
    assert {"背带软，而且腰带很稳", "拉链有点紧", "箱子倒挺结实"} <= {s.text for s in spans}
    for span in spans:
        rest = iter(text[span.start : span.end])
        assert all(c in rest for c in span.text if c != "，"), span


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("这个设定并不是很好", "negative"),
        ("音效不能说很好", "negative"),
        ("演得好到让我想睡", "neutral"),
        ("真不错，简直侮辱我的智商", "neutral"),
        ("优秀，成功浪费我两个小时", "neutral"),
        ("佩服剪辑的勇气", "neutral"),
        ("打戏有点东西", "positive"),
    ],
)
def test_irony_is_not_taken_for_praise_nor_a_denied_praise_for_one(text: str, polarity: str) -> None:
    assert Chinese().polarity(text) == polarity


def test_what_was_done_is_told_apart_from_what_is_so() -> None:
    tenses = {s.text: s.tense for s in Chinese().spans("三台机器都试了。屏幕很清楚。") if s.shape == "clause"}
    assert tenses == {"三台机器都试了": "past", "屏幕很清楚": "present"}


@pytest.mark.parametrize("text", ["剧情漏洞列一下。", "挺好的，支持一下。", "缺点简单说几点！"])
def test_what_only_announces_or_cheers_is_no_quotation(zh: Chinese, text: str) -> None:
    assert of(zh, text, "quote") == {}


@pytest.mark.parametrize("text", ["孩子用了三年都没坏。", "孩子吃了两碗都不腻。", "孩子们都睡着了。"])
def test_what_somebody_did_and_found_is_whole(zh: Chinese, text: str) -> None:
    assert of(zh, text, "clause")


def test_the_thing_itself_is_no_part_of_it(zh: Chinese) -> None:
    assert "遗憾的电影" not in of(zh, "整体是部特别遗憾的电影。", "np")


def test_a_verb_with_its_object_is_no_noun(zh: Chinese) -> None:
    assert "弘扬" not in of(zh, "感人的一部电影，弘扬正能量的大无畏精神。", "np")
    assert of(zh, "服务很周到。", "np") == {"服务": "positive"}
