"""The patterns of quarantine, as data: reason, then what gives it away in an undisguised text.

They are matched against the form `quarantine.undisguised` makes: NFKC, lower case, half-width punctuation, simplified
characters. Each was read against its hits in thousands of real reviews: what a guest or viewer would honestly write
must not match ("ignore the negative reviews", "must recommend", "请回答1988", "前面的内容可以忽略").
"""

from __future__ import annotations

_AI = (
    r"(?:ai|a\.i\.|llm|gpt|chat ?gpt|claude|gemini|(?:large )?language model|ai model|assistant|chat ?bot|bot|"
    r"summari[sz]er|recommender)"
)
_ORDERS = (
    r"(?:instructions?|prompts?|guidelines?|directions?|directives?|commands?|programming|training|context|messages?|"
    r"constraints?)"
)
_EARLIER = r"(?:previous|prior|above|earlier|preceding|foregoing|existing|original|all|any|your|my|system)"
_REPLY = r"(?:response|output|summary|answer|recommendation|explanation|rationale|reply|replies|summaries)s?"
_NOT_NEGATED = r"(?<!n't )(?<!not )(?<!never )"
_AI_ZH = r"(?:人工智能|ai|语言模型|大模型|模型|chatgpt|gpt|聊天机器人|机器人|智能助手|助手|助理|推荐系统)"
_EARLIER_ZH = r"(?:以上|之前|前面|先前|上面|上述|此前|所有|一切|你的|系统|原有)"
_ORDERS_ZH = r"(?:指令|指示|提示|规则|要求|命令|设定|对话|prompt)"
_FEW, _SOME, _MANY = r"[^.!?\n]{0,15}", r"[^.!?\n]{0,30}", r"[^.!?\n]{0,60}"
_FEW_ZH = r"[^。!?\n]{0,8}"
_TAGS = (
    r"(?:a|abbr|article|audio|b|base|big|blockquote|body|br|button|center|code|div|em|embed|font|footer|form|h[1-6]|"
    r"head|header|hr|html|i|iframe|img|input|label|li|link|main|marquee|meta|nav|noscript|object|ol|option|p|pre|s|"
    r"script|section|select|small|span|strike|strong|style|sub|sup|svg|table|tbody|td|template|textarea|th|title|tr|u|"
    r"ul|video)"
)
_DOMAINS = r"(?:com|net|org|cn|io|info|biz|xyz|top|ru|me|ly|gl|link|shop|site)"
_REACH = r"(?:contact|call|message|msg|e-?mail|reach|text|ping)"

ABUSE = (
    r"\b(?:mother)?fuck\w*|\bf\*+k\w*|\b(?:bull)?shit(?!ak)\w*|\bbitch\w*|\b(?:ass|arse)hole\w*|\bbastards?\b|\bcunts?\b",
    r"\b(?:whore|slut|dickhead|wanker|twat|faggot|nigg(?:er|a)|retard)(?:s|ed)?\b|\bscrew you\b|\bgo to hell\b",
    r"[去操肏艹草日]你[妈媽]|草泥马|他[妈媽]的|傻[逼屄叉]|煞笔|贱逼|婊|女表子|贱[人货]|狗屎|狗东西|死全家|脑残(?!粉)|弱智|滚蛋|放狗屁|尼玛",
)
"""What nobody should be shown as a reason: curses, and insults to people. "Damn good" and 牛 are neither."""

MODEL_TOKENS = (
    r"<\|[^|<>\n]{1,40}\|>",
    r"</?s>",
    r"<(?:start|end)_of_(?:turn|image|text)>",
    r"<(?:bos|eos|pad|unk|mask|sep|cls)>",
    r"\[(?:cls|sep|mask|pad)\]",
    r"\[/?inst\]",
    r"<</?sys>>",
    r"\[/?(?:system|assistant|user)(?:_\w+)?\]",
    r"^\s*#{2,}\s*(?:system|instruction|assistant|user|human|response|input)s?\b",
    r"^\s*(?:system|assistant|系统|助手)\s*[:>]",
    r"</?(?:system|assistant|user|think|tool_call|tool_response|instructions?|prompt|evidence|context)\b[^<>]*>",
)

STEERING_EN = (
    rf"{_NOT_NEGATED}\b(?:ignore|disregard|forget|override|bypass|discard)\b{_SOME}\b{_EARLIER}\b{_SOME}\b{_ORDERS}\b",
    rf"\b(?:ignore|disregard|forget) (?:everything|anything|all|what(?:ever)?)\b{_FEW}"
    r"\b(?:above|before|you(?:'ve| have| were)|said so far)\b",
    rf"{_NOT_NEGATED}\b(?:ignore|disregard) (?:the |all |everything |of |what is )*(?:above|preceding|foregoing)\b",
    rf"\byou are (?:now )?(?:a |an |the |my )?(?:\w+ )?{_AI}\b",
    r"\byou are now (?:an? |the |my |called |named |no longer |free from |unrestricted|acting |playing )",
    r"\byou are now (?:dan\b|chat ?gpt)",
    r"\byou are now in (?:\w+ )?mode\b",
    r"\bfrom now on,? (?:you|your|always|only|respond|answer|act)\b",
    r"\b(?:system|hidden|initial|developer) prompts?\b",
    r"\bprompt injection\b",
    r"\bsystem (?:message|instructions?|override)\b",
    r"\bas an? (?:ai|llm|(?:large )?language model|chat ?bot|chat ?gpt|ai assistant)\b",
    rf"\b(?:act|behave|respond|pretend to be|pretend you are) (?:as |like )?(?:an? |the )?{_AI}\b",
    rf"\b(?:dear|hey|hello|attention|attn|note to|message to|instructions? (?:to|for)|to)[,:]? "
    rf"(?:the |any |all )?{_AI}s?\b\s?[,:!-]",
    rf"\b(?:new|updated|additional|important|real|secret) {_ORDERS}\s*:",
    rf"\b{_AI}s?\b{_SOME}\b(?:must|should|shall|please|always|never|reading this)\b{_SOME}"
    r"\b(?:recommend|say|write|output|respond|reply|mention|rate|praise|tell|cite|include)\b",
    r"(?:^|[.!?,;:]\s*|\b(?:please|must|should|and|you) )(?:respond|reply|answer|output) "
    r"(?:only|exactly|just|verbatim|nothing but)\b",
    r"\b(?:print|repeat|output|write|say) (?:exactly )?(?:the following|this exact|verbatim)\b",
    rf"\b(?:include|mention|say|write|add|insert|cite|state|append)\b{_MANY}\bin (?:your|every|each|the) {_REPLY}\b",
    r"\b(?:reveal|print|show|repeat|leak|output) (?:me )?(?:your|the) (?:system |hidden |initial |original |secret )+"
    r"(?:prompt|instruction|message|rule|text|configuration)",
    r"\bdo not (?:mention|reveal|include|cite|report|disclose) (?:any |the |its |this |other )*"
    r"(?:negative|drawback|complaint|flaw|bad|critici|weakness)",
    rf"\bwhen (?:you (?:are )?)?(?:summari[sz]|generat|recommend)(?:e|ing)?\b{_MANY}\b(?:always|only|must|say|never)\b",
)

STEERING_ZH = (
    rf"(?:忽略|无视|忘记|忘掉|不要理会|不用理会|请勿遵守|抛开|推翻|覆盖){_FEW_ZH}{_EARLIER_ZH}{_FEW_ZH}{_ORDERS_ZH}",
    r"(?:忽略|无视|不要理会|请忘记|请忘掉)掉?(?:以上|之前|上述|此前|前面|上面)的?(?:所有|全部|一切)?的?"
    r"(?:内容|信息|文字|说明|评论)",
    rf"你现在(?:是|扮演|要扮演|将扮演)(?:一[个名位款]|[^不谁否。!?\n]{{0,8}}{_AI_ZH})",
    r"(?:从现在开始|从现在起|从此刻起|接下来)[,，]?\s*你(?:是|要|必须|将|只|就是|需要)",
    rf"你(?:是|作为)(?:一[个名位款])?[^。!?\n]{{0,4}}{_AI_ZH}",
    r"(?:作为|扮演)(?:一[个名位款])?[^。!?\n]{0,4}(?:人工智能|语言模型|大模型|ai助手|智能助手|推荐系统)",
    r"系统提示词|系统(?:提示|指令|消息)\s*:|提示词(?:注入|是|为|如下)",
    r"(?:泄露|显示|输出|打印|告诉我)[^。!?\n]{0,6}(?:提示词|系统指令)",
    r"(?:只能|只需|必须|务必|请直接)(?:回答|回复|输出)(?!我)",
    r"(?:回答|回复|输出|重复)(?:以下|下列|下面)的?(?:内容|文字|文本|句子|话)",
    rf"(?:不要|不得|禁止|请勿|切勿)(?:提及|提到|输出|引用|透露|说出){_FEW_ZH}(?:缺点|负面|差评|不足|问题)",
    rf"{_AI_ZH}[,，: ]{{0,2}}(?:请|必须|务必|应当|你要|注意)|(?:请|致|告诉)(?:各位|所有)?{_AI_ZH}",
    r"在(?:你的)?(?:推荐理由|回答|回复|总结|推荐语|摘要)(?:中|里)[^。!?\n]{0,6}(?:写|说|加|提|引用|包含|强调)",
    r"新(?:的)?(?:指令|系统提示)\s*:",
)

MARKUP = (
    r"<!--|<!doctype|<\?(?:xml|php)",
    rf"</?{_TAGS}(?:[\s/][^<>\n]*)?>",
    r"</[a-z][\w:-]*>|<[a-z][\w:-]*(?:/|\s+[\w-]+\s*=[^<>\n]*)>",
    r"javascript:|\bon(?:click|error|load)\s*=",
    r"```|\{\{[^}]*\}\}|\{%[^%]*%\}",
    r"!?\[[^\]\n]{0,80}\]\([^)\n]*\)",
)

LINK = (
    r"(?:https?|ftp|hxxps?)\s?:\s?//",
    r"\bwww\.\w",
    r"\bdata:[a-z]+/",
    rf"\b[a-z0-9-]+\.{_DOMAINS}(?:\.[a-z]{{2}})?(?:/\S*|\b)(?!\w)",
)

CITATION_MARKER = (
    r"\^?\[\s*\^?\d{1,3}(?:\s*[,，、;-]\s*\d{1,3})*\s*\]",
    r"【\s*\d[^】\n]{0,20}】",
    r"〔\s*\d{1,3}\s*〕",
)

PERSONAL_DATA = (r"•{6,}",)

CONTACT = (
    r"(?:加|添加|联系|\+|➕)一?下?\s*(?:我|俺|本人|店主|老板|客服)?的?\s*"
    r"(?:微信|薇信|威信|v信|v ?x|wx|qq|扣扣|企鹅号?)",
    r"(?:微信|薇信|v信|\bv ?x|\bwx|qq)号?群?\s*:?\s*[a-z0-9][a-z0-9_-]{4,}",
    r"私信我|私聊我|扫码(?:加|领|关注)|关注(?:我的)?(?:微信)?公众号|公众号\s*:",
    r"\b(?:whats ?app|telegram|wechat|dm|inbox|kakao|imessage) (?:me|us)\b",
    rf"\b{_REACH} (?:me|us) (?:at|on|@|via|by)[^.!?\n]{{0,12}}?(?:[\d@•+]|whats|telegram|wechat|insta)",
    r"\badd (?:me|us) on\b",
    r"\b(?:follow|find) (?:me|us)\b[^.!?\n]{0,12}(?:@|\b(?:on|at)\b)|\bfollow @",
    r"@\w{3,}[^.!?\n]{0,20}\binsta|\binsta\w*\b[^.!?\n]{0,20}@\w{3,}",
    r"\b(?:check out|visit|read|subscribe to|follow) my (?:\w+ )?"
    r"(?:blog|channel|page|profile|instagram|insta|youtube|website)\b",
    r"\b(?:use|with) (?:my |the )?(?:promo|referral|discount|coupon) ?code\b",
)

PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("model_tokens", MODEL_TOKENS),
    ("steering", STEERING_EN + STEERING_ZH),
    ("markup", MARKUP),
    ("link", LINK),
    ("citation_marker", CITATION_MARKER),
    ("personal_data", PERSONAL_DATA),
    ("contact", CONTACT),
)
"""In the order in which they are asked."""
