// Judging poems: famous ones that keep their form are legal, broken ones are not.
#include "check/verse.h"
#include "testing.h"

static void check(const char *text, const char *form, const char *acrostic,
                  ink_verse_report *report) {
  ink_error error = {0};
  assert_ok(ink_check_verse(text, strlen(text), form ? ink_verse_form_find(form) : NULL, acrostic,
                            report, &error));
}

static void print_faults(const ink_verse_report *report) {
  ink_text text = {0};
  for (int i = 0; i < report->n_fault; i++) {
    ink_verse_fault_text(report, &report->faults[i], INK_LANGUAGE_EN, &text);
    print_message("#   %s\n", ink_text_string(&text));
    ink_text_clear(&text);
  }
  ink_text_free(&text);
}

static void assert_legal(const ink_verse_report *report, const char *text) {
  if (report->legal) return;
  print_faults(report);
  fail_msg("not legal: %s", text);
}

static const char *const regular[][3] = {
    // 王之涣, 王维, 杜甫, 李端
    {"五绝", "仄起不入韵", "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。"},
    {"五绝", "仄起不入韵", "红豆生南国，春来发几枝。愿君多采撷，此物最相思。"},
    {"五绝", "仄起不入韵", "功盖三分国，名成八阵图。江流石不转，遗恨失吞吴。"},
    {"五绝", "平起不入韵", "鸣筝金粟柱，素手玉房前。欲得周郎顾，时时误拂弦。"},
    // 李白, 张继, 王昌龄, 杜牧, 李商隐
    {"七绝", "平起入韵", "朝辞白帝彩云间，千里江陵一日还。两岸猿声啼不住，轻舟已过万重山。"},
    {"七绝", "仄起入韵", "月落乌啼霜满天，江枫渔火对愁眠。姑苏城外寒山寺，夜半钟声到客船。"},
    {"七绝", "平起入韵", "秦时明月汉时关，万里长征人未还。但使龙城飞将在，不教胡马度阴山。"},
    {"七绝", "平起入韵", "烟笼寒水月笼沙，夜泊秦淮近酒家。商女不知亡国恨，隔江犹唱后庭花。"},
    {"七绝", "仄起入韵", "君问归期未有期，巴山夜雨涨秋池。何当共剪西窗烛，却话巴山夜雨时。"},
    // 杜甫, 王维, 杜甫, 王勃 (whose 无为在歧路 swaps two tones, as poets do)
    {"五律", "仄起不入韵",
     "国破山河在，城春草木深。感时花溅泪，恨别鸟惊心。"
     "烽火连三月，家书抵万金。白头搔更短，浑欲不胜簪。"},
    {"五律", "平起不入韵",
     "空山新雨后，天气晚来秋。明月松间照，清泉石上流。"
     "竹喧归浣女，莲动下渔舟。随意春芳歇，王孙自可留。"},
    {"五律", "仄起不入韵",
     "细草微风岸，危樯独夜舟。星垂平野阔，月涌大江流。"
     "名岂文章著，官应老病休。飘飘何所似，天地一沙鸥。"},
    {"五律", "仄起入韵",
     "城阙辅三秦，风烟望五津。与君离别意，同是宦游人。"
     "海内存知己，天涯若比邻。无为在歧路，儿女共沾巾。"},
    // 杜甫, 李商隐, 杜甫, 李商隐
    {"七律", "仄起入韵",
     "风急天高猿啸哀，渚清沙白鸟飞回。无边落木萧萧下，不尽长江滚滚来。"
     "万里悲秋常作客，百年多病独登台。艰难苦恨繁霜鬓，潦倒新停浊酒杯。"},
    {"七律", "仄起入韵",
     "锦瑟无端五十弦，一弦一柱思华年。庄生晓梦迷蝴蝶，望帝春心托杜鹃。"
     "沧海月明珠有泪，蓝田日暖玉生烟。此情可待成追忆，只是当时已惘然。"},
    {"七律", "仄起不入韵",
     "剑外忽传收蓟北，初闻涕泪满衣裳。却看妻子愁何在，漫卷诗书喜欲狂。"
     "白日放歌须纵酒，青春作伴好还乡。即从巴峡穿巫峡，便下襄阳向洛阳。"},
    {"七律", "仄起入韵",
     "相见时难别亦难，东风无力百花残。春蚕到死丝方尽，蜡炬成灰泪始干。"
     "晓镜但愁云鬓改，夜吟应觉月光寒。蓬山此去无多路，青鸟殷勤为探看。"},
};

static const char *const tunes[][2] = {
    {"浣溪沙",
     "一曲新词酒一杯。去年天气旧亭台。夕阳西下几时回。"
     "无可奈何花落去，似曾相识燕归来。小园香径独徘徊。"},
    {"菩萨蛮",
     "郁孤台下清江水。中间多少行人泪。西北望长安。可怜无数山。"
     "青山遮不住。毕竟东流去。江晚正愁余。山深闻鹧鸪。"},
    {"水调歌头",
     "明月几时有，把酒问青天。不知天上宫阙，今夕是何年。我欲乘风归去，又恐琼楼玉宇，"
     "高处不胜寒。起舞弄清影，何似在人间。转朱阁，低绮户，照无眠。不应有恨，何事长向别"
     "时圆。人有悲欢离合，月有阴晴圆缺，此事古难全。但愿人长久，千里共婵娟。"},
    {"蝶恋花",
     "庭院深深深几许。杨柳堆烟，帘幕无重数。玉勒雕鞍游冶处。楼高不见章台路。"
     "雨横风狂三月暮。门掩黄昏，无计留春住。泪眼问花花不语。乱红飞过秋千去。"},
    {"西江月",
     "明月别枝惊鹊，清风半夜鸣蝉。稻花香里说丰年。听取蛙声一片。"
     "七八个星天外，两三点雨山前。旧时茅店社林边。路转溪桥忽见。"},
    {"鹧鸪天",
     "彩袖殷勤捧玉钟。当年拚却醉颜红。舞低杨柳楼心月，歌尽桃花扇影风。"
     "从别后，忆相逢。几回魂梦与君同。今宵剩把银釭照，犹恐相逢是梦中。"},
    {"临江仙",
     "夜饮东坡醒复醉，归来仿佛三更。家童鼻息已雷鸣。敲门都不应，倚杖听江声。"
     "长恨此身非我有，何时忘却营营。夜阑风静縠纹平。小舟从此逝，江海寄余生。"},
    {"卜算子",
     "驿外断桥边，寂寞开无主。已是黄昏独自愁，更著风和雨。"
     "无意苦争春，一任群芳妒。零落成泥碾作尘，只有香如故。"},
    {"浪淘沙",
     "帘外雨潺潺。春意阑珊。罗衾不耐五更寒。梦里不知身是客，一晌贪欢。"
     "独自莫凭阑。无限江山。别时容易见时难。流水落花春去也，天上人间。"},
    {"清平乐",
     "茅檐低小。溪上青青草。醉里吴音相媚好。白发谁家翁媪。"
     "大儿锄豆溪东。中儿正织鸡笼。最喜小儿无赖，溪头卧剥莲蓬。"},
    {"虞美人",
     "春花秋月何时了。往事知多少。小楼昨夜又东风。故国不堪回首、月明中。"
     "雕阑玉砌应犹在。只是朱颜改。问君能有几多愁。恰似一江春水、向东流。"},
    {"如梦令", "昨夜雨疏风骤。浓睡不消残酒。试问卷帘人，却道海棠依旧。知否。知否。应是绿肥红瘦。"},
    {"忆江南", "江南好，风景旧曾谙。日出江花红胜火，春来江水绿如蓝。能不忆江南。"},
    {"采桑子",
     "群芳过后西湖好，狼籍残红。飞絮濛濛。垂柳阑干尽日风。"
     "笙歌散尽游人去，始觉春空。垂下帘栊。双燕归来细雨中。"},
    {"醉花阴",
     "薄雾浓云愁永昼。瑞脑消金兽。佳节又重阳，玉枕纱厨，半夜凉初透。"
     "东篱把酒黄昏后。有暗香盈袖。莫道不消魂，帘卷西风，人比黄花瘦。"},
    {"渔家傲",
     "塞下秋来风景异。衡阳雁去无留意。四面边声连角起。千嶂里。长烟落日孤城闭。"
     "浊酒一杯家万里。燕然未勒归无计。羌管悠悠霜满地。人不寐。将军白发征夫泪。"},
    {"踏莎行",
     "雾失楼台，月迷津渡。桃源望断无寻处。可堪孤馆闭春寒，杜鹃声里斜阳暮。"
     "驿寄梅花，鱼传尺素。砌成此恨无重数。郴江幸自绕郴山，为谁流下潇湘去。"},
    {"江城子",
     "十年生死两茫茫。不思量。自难忘。千里孤坟，无处话凄凉。纵使相逢应不识，尘满面，鬓如霜。"
     "夜来幽梦忽还乡。小轩窗。正梳妆。相顾无言，惟有泪千行。料得年年肠断处，明月夜，短松冈。"},
    {"鹊桥仙",
     "纤云弄巧，飞星传恨，银汉迢迢暗度。金风玉露一相逢，便胜却、人间无数。"
     "柔情似水，佳期如梦，忍顾鹊桥归路。两情若是久长时，又岂在、朝朝暮暮。"},
    {"忆秦娥",
     "箫声咽。秦娥梦断秦楼月。秦楼月。年年柳色，灞陵伤别。"
     "乐游原上清秋节。咸阳古道音尘绝。音尘绝。西风残照，汉家陵阙。"},
    {"破阵子",
     "醉里挑灯看剑，梦回吹角连营。八百里分麾下炙，五十弦翻塞外声。沙场秋点兵。"
     "马作的卢飞快，弓如霹雳弦惊。了却君王天下事，赢得生前身后名。可怜白发生。"},
    {"苏幕遮",
     "碧云天，黄叶地。秋色连波，波上寒烟翠。山映斜阳天接水。芳草无情，更在斜阳外。"
     "黯乡魂，追旅思。夜夜除非，好梦留人睡。明月楼高休独倚。酒入愁肠，化作相思泪。"},
    {"相见欢",
     "无言独上西楼。月如钩。寂寞梧桐深院、锁清秋。剪不断。理还乱。是离愁。别是一般滋味、在心头。"},
    {"玉楼春",
     "东城渐觉风光好。縠皱波纹迎客棹。绿杨烟外晓寒轻，红杏枝头春意闹。"
     "浮生长恨欢娱少。肯爱千金轻一笑。为君持酒劝斜阳，且向花间留晚照。"},
    {"天仙子",
     "水调数声持酒听。午醉醒来愁未醒。送春春去几时回，临晚镜。伤流景。往事后期空记省。"
     "沙上并禽池上暝。云破月来花弄影。重重帘幕密遮灯，风不定。人初静。明日落红应满径。"},
    {"青玉案",
     "东风夜放花千树。更吹落、星如雨。宝马雕车香满路。凤箫声动，玉壶光转，一夜鱼龙舞。"
     "蛾儿雪柳黄金缕。笑语盈盈暗香去。众里寻他千百度。蓦然回首，那人却在，灯火阑珊处。"},
    {"定风波",
     "莫听穿林打叶声。何妨吟啸且徐行。竹杖芒鞋轻胜马。谁怕。一蓑烟雨任平生。"
     "料峭春风吹酒醒。微冷。山头斜照却相迎。回首向来萧瑟处。归去。也无风雨也无晴。"},
    {"长相思",
     "汴水流。泗水流。流到瓜州古渡头。吴山点点愁。思悠悠。恨悠悠。恨到归时方始休。月明人倚楼。"},
    {"沁园春",
     "孤鹤归飞，再过辽天，换尽旧人。念累累枯冢，茫茫梦境，王侯蝼蚁，毕竟成尘。载酒园林，"
     "寻花巷陌，当日何曾轻负春。流年改，叹围腰带剩，点鬓霜新。"
     "交亲零落如云。又岂料如今余此身。幸眼明身健，茶甘饭软，非惟我老，更有人贫。"
     "躲尽危机，消残壮志，短艇湖中闲采莼。吾何恨，有渔翁共醉，溪友为邻。"},
    {"武陵春",
     "维岳分公英特气，万丈拂长虹。丙魏萧曹总下风。千载友夔龙。"
     "宝熏袅翠昏帘绣，嘉颂佩绅同。不用黄精扫鬓中。元是黑头翁。"},
    {"南乡子",
     "晚景落琼杯。照眼云山翠作堆。认得岷峨春雪浪，初来。万顷蒲萄涨渌醅。"
     "暮雨暗阳台。乱洒高楼湿粉腮。一阵东风来卷地，吹回。落照江天一半开。"},
    {"更漏子",
     "槛花稀，池草遍。冷落吹笙庭院。人去日，燕西飞。燕归人未归。"
     "数书期，寻梦意。弹指一年春事。新怅望，旧悲凉。不堪红日长。"},
    {"好事近",
     "春路雨添花，花动一山春色。行到小溪深处，有黄鹂千百。"
     "飞云当面化龙蛇，夭矫转空碧。醉卧古藤阴下，了不知南北。"},
    {"朝中措",
     "平山阑槛倚晴空。山色有无中。手种堂前垂柳，别来几度春风。"
     "文章太守，挥毫万字，一饮千钟。行乐直须年少，尊前看取衰翁。"},
    {"生查子",
     "去年元夜时，花市灯如昼。月到柳梢头，人约黄昏后。"
     "今年元夜时，月与灯依旧。不见去年人，泪满春衫袖。"},
    {"阮郎归",
     "粉痕闲印玉尖纤。啼红傍晚奁。旧寒新暖尚相兼。梅疏待雪添。"
     "春冉冉，恨恹恹。章台对卷帘。个人鞭影弄凉蟾。楼前侧帽檐。"},
    {"水龙吟",
     "渡江天马南来，几人真是经纶手。长安父老，新亭风景，可怜依旧。夷甫诸人，神州沈陆，几曾回首。"
     "算平戎万里，功名本是，真儒事、君知否。况有文章山斗。对桐阴、满庭清昼。当年堕地，而今试看，"
     "风云奔走。绿野风烟，平泉草木，东山歌酒。待他年，整顿乾坤事了，为先生寿。"},
    {"望海潮",
     "东南形胜，三吴都会，钱塘自古繁华。烟柳画桥，风帘翠幕，参差十万人家。云树绕堤沙。"
     "怒涛卷霜雪，天堑无涯。市列珠玑，户盈罗绮竞豪奢。重湖叠巘清嘉。有三秋桂子，十里荷花。"
     "羌管弄晴，菱歌泛夜，嬉嬉钓叟莲娃。千骑拥高牙。乘醉听箫鼓，吟赏烟霞。异日图将好景，归去凤池夸"
     "。"},
    {"霜天晓角",
     "晚晴风歇。一夜春威折。脉脉花疏天淡，云来去、数枝雪。"
     "胜绝。愁亦绝。此情谁共说。惟有两行低雁，知人倚、画楼月。"},
    {"诉衷情",
     "当年万里觅封侯。匹马戍梁州。关河梦断何处，尘暗旧貂裘。"
     "胡未灭，鬓先秋。泪空流。此生谁料，心在天山，身老沧洲。"},
    {"南歌子",
     "凤髻金泥带，龙纹玉掌梳。走来窗下笑相扶。爱道画眉深浅、入时无。"
     "弄笔偎人久，描花试手初。等闲妨了绣功夫。笑问双鸳鸯字、怎生书。"},
    {"谒金门",
     "风乍起。吹皱一池春水。闲引鸳鸯芳径里。手挼红杏蕊。"
     "斗鸭阑干独倚。碧玉搔头斜坠。终日望君君不至。举头闻鹊喜。"},
    {"捣练子", "砧面莹，杵声齐。捣就征衣泪墨题。寄到玉关应万里，戍人犹在玉关西。"},
    {"点绛唇",
     "新月娟娟，夜寒江静山衔斗。起来搔首。梅影横窗瘦。"
     "好个霜天，闲却传杯手。君知否。乱鸦啼后。归兴浓如酒。"},
};

static void poems_that_keep_their_form_are_legal(void **state) {
  (void)state;
  ink_verse_report report;
  for (size_t i = 0; i < sizeof regular / sizeof *regular; i++) {
    check(regular[i][2], regular[i][0], NULL, &report);
    assert_legal(&report, regular[i][2]);
    assert_string_equal(report.pattern->name, regular[i][1]);
  }
  for (size_t i = 0; i < sizeof tunes / sizeof *tunes; i++) {
    check(tunes[i][1], tunes[i][0], NULL, &report);
    assert_legal(&report, tunes[i][1]);
  }
}

static const ink_verse_fault *find_fault(const ink_verse_report *report,
                                         ink_verse_fault_kind kind) {
  for (int i = 0; i < report->n_fault; i++)
    if (report->faults[i].kind == kind) return &report->faults[i];
  return NULL;
}

// The only fault is of this kind and at this character, counted from 1 as a person counts.
static void assert_only_fault(const char *text, const char *form, const char *acrostic,
                              ink_verse_fault_kind kind, int clause, int place) {
  ink_verse_report report;
  check(text, form, acrostic, &report);
  const ink_verse_fault *fault = find_fault(&report, kind);
  if (!fault || report.n_fault != 1) {
    print_faults(&report);
    fail_msg("%s: wanted the fault %s alone", text, ink_verse_fault_name(kind));
  }
  assert_int_equal(fault->clause + 1, clause);
  assert_int_equal(fault->place + 1, place);
  assert_false(report.legal);
}

static void each_broken_rule_is_named_with_its_place(void **state) {
  (void)state;
  // 层 -> 座: a deflected tone where a level one belongs.
  assert_only_fault("白日依山尽，黄河入海流。欲穷千里目，更上一座楼。", "五绝", NULL,
                    INK_VERSE_FAULT_TONE, 4, 4);
  // 孤平: 欲 for 黄 leaves one level tone before the rhyme.
  assert_only_fault("白日依山尽，欲河入海流。欲穷千里目，更上一层楼。", "五绝", NULL,
                    INK_VERSE_FAULT_TONE, 2, 1);
  // 三平尾: 更上高层楼.
  assert_only_fault("白日依山尽，黄河入海流。欲穷千里目，更上高层楼。", "五绝", NULL,
                    INK_VERSE_FAULT_TONE, 4, 3);
  assert_only_fault("白日依山尽，黄河入海流。欲穷千里目，更上一层天。", "五绝", NULL,
                    INK_VERSE_FAULT_RHYME, 4, 5);
  assert_only_fault("白日依山尽，黄河入海流。欲穷千里目，更上一层流。", "五绝", NULL,
                    INK_VERSE_FAULT_REPEATED, 4, 5);
  assert_only_fault("白日依山尽，黄河入海流。欲穷千里目，更上一A楼。", "五绝", NULL,
                    INK_VERSE_FAULT_UNKNOWN, 4, 4);
  assert_only_fault("白日依山尽，黄河入海流。欲穷千里目，更上一层楼。", "五绝", "白黄欲上",
                    INK_VERSE_FAULT_ACROSTIC, 4, 1);
  assert_only_fault(
      "箫声咽。秦娥梦断秦楼月。金城月。年年柳色，灞陵伤别。"
      "乐游原上清秋节。咸阳古道音尘绝。音尘绝。西风残照，汉家陵阙。",
      "忆秦娥", NULL, INK_VERSE_FAULT_ECHO, 3, 1);
  // 辛弃疾 himself goes against what most poems in the tune do.
  assert_only_fault(
      "何处望神州。满眼风光北固楼。千古兴亡多少事，悠悠。不尽长江滚滚流。"
      "年少万兜鍪。坐断东南战未休。天下英雄谁敌手，曹刘。生子当如孙仲谋。",
      "南乡子", NULL, INK_VERSE_FAULT_TONE, 10, 5);
}

static void couplets_that_do_not_stick_are_no_regulated_verse(void **state) {
  (void)state;
  ink_verse_report report;
  check("床前明月光，疑是地上霜。举头望明月，低头思故乡。", "五绝", NULL, &report);
  assert_false(report.legal);
  assert_false(report.tones_ok);
  assert_true(report.rhyme_ok);
  // The couplets of a legal poem in the wrong order break 粘.
  check("欲穷千里目，更上一层楼。白日依山尽，黄河入海流。", "五绝", NULL, &report);
  assert_true(report.legal);
  check("白日依山尽，黄河入海流。红豆生南国，春来发几枝。", "五绝", NULL, &report);
  assert_false(report.tones_ok);
}

// At every place with one tone pattern, a character of the other tone breaks the poem.
static void any_wrong_tone_breaks_the_form(void **state) {
  (void)state;
  int tried = 0;
  for (size_t i = 0; i < sizeof tunes / sizeof *tunes; i++) {
    ink_verse_report report, broken;
    check(tunes[i][1], tunes[i][0], NULL, &report);
    for (int k = 0; k < report.n_clause; k++) {
      for (int at = 0; at < report.clauses[k].length; at++) {
        uint8_t demanded = report.clauses[k].demanded[at];
        if (demanded == (INK_TONE_PING | INK_TONE_ZE)) continue;
        ink_text text = {0};
        for (int c = 0; c < report.n_clause; c++) {
          for (int p = 0; p < report.clauses[c].length; p++)
            ink_text_add_rune(&text, c == k && p == at ? (demanded == INK_TONE_PING ? U'月' : U'山')
                                                       : report.clauses[c].runes[p]);
          ink_text_add(&text, "，");
        }
        check(ink_text_string(&text), tunes[i][0], NULL, &broken);
        if (broken.legal) fail_msg("still legal: %s", ink_text_string(&text));
        ink_text_free(&text);
        tried++;
      }
    }
  }
  print_message("# %d places\n", tried);
  assert_true(tried > 1000);
}

static void lengths_are_compared_with_the_form(void **state) {
  (void)state;
  ink_verse_report report;
  check("白日依山尽，黄河入海流。欲穷千里目，更上一楼。", "五绝", NULL, &report);
  assert_false(report.legal);
  assert_false(report.length_ok);
  assert_null(report.pattern);
  assert_int_equal(report.n_fault, 1);
  assert_int_equal(report.faults[0].clause, 3);
  assert_int_equal(report.clauses[3].length, 4);
  assert_int_equal(report.clauses[3].expected, 5);
  check("白日依山尽，黄河入海流。", "五绝", NULL, &report);
  assert_int_equal(report.n_fault, 2);
  // A mark within a clause is no clause end of the form.
  check("白日，依山尽，黄河入海流。欲穷千里目，更上一层楼。", "五绝", NULL, &report);
  assert_false(report.length_ok);
  // A clause that is far too long is counted, not kept.
  check("白日依山尽白日依山尽白日依山尽，黄河入海流。", "五绝", NULL, &report);
  assert_int_equal(report.clauses[0].length, 15);
}

static void traditional_text_and_other_marks_are_judged_alike(void **state) {
  (void)state;
  ink_verse_report report;
  check("白日依山盡\n黃河入海流\n欲窮千里目\n更上一層樓\n", "五言絕句", NULL, &report);
  assert_legal(&report, "traditional");
  check("「白日依山尽, 黄河入海流! 欲穷千里目？ 更上一层楼」", "五绝", "白黄欲更", &report);
  assert_legal(&report, "other marks");
  check("白日依山尽，黄河入海流。欲穷千里目，更上一层楼。", "五绝", "白欲", &report);
  assert_legal(&report, "acrostic of sentences");
}

static void form_is_recognised_from_the_text(void **state) {
  (void)state;
  ink_verse_report report;
  for (size_t i = 0; i < sizeof regular / sizeof *regular; i++) {
    check(regular[i][2], NULL, NULL, &report);
    assert_string_equal(report.form->names[0], regular[i][0]);
  }
  for (size_t i = 0; i < sizeof tunes / sizeof *tunes; i++) {
    check(tunes[i][1], NULL, NULL, &report);
    assert_string_equal(report.form->names[0], tunes[i][0]);
  }
}

static void text_that_is_no_verse_is_an_error(void **state) {
  (void)state;
  ink_error error = {0};
  ink_verse_report report;
  const ink_verse_form *form = ink_verse_form_find("五绝");
  assert_int_equal(ink_check_verse("", 0, form, NULL, &report, &error), INK_ERR_FORMAT);
  assert_int_equal(ink_check_verse("，。\n", 7, form, NULL, &report, &error), INK_ERR_FORMAT);
  assert_int_equal(ink_check_verse("\xe4\xb8", 2, form, NULL, &report, &error), INK_ERR_FORMAT);
  assert_int_equal(error.offset, 0);
  static char endless[8000];
  memset(endless, 'x', sizeof endless);
  assert_int_equal(ink_check_verse(endless, sizeof endless, form, NULL, &report, &error),
                   INK_ERR_FORMAT);
  assert_int_equal(ink_check_verse("天地玄黄", 12, NULL, NULL, &report, &error), INK_ERR_NOT_FOUND);
  const char *poem = regular[0][2];
  assert_int_equal(ink_check_verse(poem, strlen(poem), form, "白黄欲", &report, &error),
                   INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "3 characters"));
}

static void report_becomes_json(void **state) {
  (void)state;
  ink_verse_report report;
  check("白日依山尽，黄河入海流。欲穷千里目，更上一座楼。", "五绝", NULL, &report);
  json_t *json = ink_verse_report_json(&report);
  assert_non_null(json);
  assert_string_equal(json_string_value(json_object_get(json, "form")), "五绝");
  assert_string_equal(json_string_value(json_object_get(json, "pattern")), "仄起不入韵");
  assert_true(json_is_false(json_object_get(json, "legal")));
  assert_true(json_is_false(json_object_get(json, "tones")));
  assert_true(json_is_true(json_object_get(json, "rhyme")));
  assert_string_equal(json_string_value(json_array_get(json_object_get(json, "rhymes"), 0)),
                      "十一尤");
  json_t *line = json_array_get(json_object_get(json, "lines"), 3);
  assert_string_equal(json_string_value(json_object_get(line, "text")), "更上一座楼");
  assert_string_equal(json_string_value(json_object_get(line, "tones")), "通仄仄仄平");
  assert_true(json_is_false(json_object_get(line, "ok")));
  json_t *fault = json_array_get(json_object_get(json, "faults"), 0);
  assert_string_equal(json_string_value(json_object_get(fault, "kind")), "tone");
  assert_string_equal(json_string_value(json_object_get(fault, "character")), "座");
  assert_string_equal(json_string_value(json_object_get(fault, "text")),
                      "clause 4, character 4: 座 is 仄, the place asks for 平");
  json_decref(json);
  check(tunes[0][1], tunes[0][0], NULL, &report);
  json = ink_verse_report_json(&report);
  assert_string_equal(json_string_value(json_array_get(json_object_get(json, "rhymes"), 0)),
                      "十灰");
  json_decref(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(poems_that_keep_their_form_are_legal),
      cmocka_unit_test(each_broken_rule_is_named_with_its_place),
      cmocka_unit_test(couplets_that_do_not_stick_are_no_regulated_verse),
      cmocka_unit_test(any_wrong_tone_breaks_the_form),
      cmocka_unit_test(lengths_are_compared_with_the_form),
      cmocka_unit_test(traditional_text_and_other_marks_are_judged_alike),
      cmocka_unit_test(form_is_recognised_from_the_text),
      cmocka_unit_test(text_that_is_no_verse_is_an_error),
      cmocka_unit_test(report_becomes_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
