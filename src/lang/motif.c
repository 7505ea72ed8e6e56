// The motifs of classical verse that have a shape of their own.
#include "lang/motif.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Things before weather and light: a verse that names a goose and the wind is about the goose.
static const ink_motif motifs[] = {
    {"明月 月 蟾 玉兔 婵娟", "一轮满月", "full moon"},
    {"新月 残月 弯月 月牙 眉月", "一弯月亮", "crescent moon"},
    {"荷 莲 芙蕖 菡萏 藕", "一朵莲花", "lotus"},
    {"樱", "一朵樱花", "cherry blossom"},
    {"桃花 杏花 梅 海棠 花 芳 红蕊 蕊", "一朵花", "flower"},
    {"桃", "一个桃子", "peach"},
    {"橘 柑 橙", "一个橘子", "tangerine"},
    {"栗", "一颗栗子", "chestnut"},
    {"瓜", "一个甜瓜", "melon"},
    {"芙蓉 木槿", "一朵芙蓉", "hibiscus"},
    {"菊 黄花 葵", "一朵向日葵", "sunflower"},
    {"蔷薇 玫瑰 牡丹", "一朵玫瑰", "rose"},
    {"枫", "一片枫叶", "maple leaf"},
    {"落叶 木叶 黄叶 红叶 叶", "一片落叶", "fallen leaf"},
    {"松 柏", "一棵松树", "pine tree"},
    {"柳 杨 桐 槐 树 林 木", "一棵树", "tree"},
    {"稻 禾 麦 黍 粟", "一株稻子", "sheaf of rice"},
    {"草 苗 芽", "一株幼苗", "seedling"},
    {"雪山 天山 昆仑", "一座雪山", "snowy mountain"},
    {"山 峰 岭 岳 嶂 峦 崖", "一座山", "mountain"},
    {"石 岩", "一块石头", "rock"},
    {"沙 漠", "一片沙漠", "desert"},
    {"江 河 海 波 浪 潮 涛 湖 水 流", "一朵海浪", "wave"},
    {"孤帆 帆 舟 船 棹 舸 艇", "一艘帆船", "sailboat"},
    {"岛 洲", "一座小岛", "island"},
    {"桥", "一座桥", "bridge"},
    {"茅屋 茅 庐 柴门 草堂", "一座小屋", "hut"},
    {"城 楼 台 阁 塔 宫 殿", "一座城堡", "castle"},
    {"家 屋 庭 院 村 舍", "一座房子", "house"},
    {"窗 帘", "一扇窗户", "window"},
    {"门 扉", "一扇门", "door"},
    {"镜", "一面镜子", "mirror"},
    {"灯", "一盏灯笼", "lantern"},
    {"烛 蜡", "一支蜡烛", "candle"},
    {"火 燎 焰", "一团火", "fire"},
    {"酒 杯 觞 樽 醉 酌 壶", "一瓶清酒", "bottle of sake"},
    {"茶 茗", "一杯茶", "cup of tea"},
    {"书 卷 诗 简", "一个卷轴", "scroll"},
    {"信 笺 锦字 尺素", "一个信封", "envelope"},
    {"笔 墨", "一支画笔", "paintbrush"},
    {"剑 刀", "一把剑", "dagger"},
    {"弓 箭", "一副弓箭", "bow and arrow"},
    {"斧", "一把斧头", "axe"},
    {"号角 画角 鼓角", "一把号角", "horn"},
    {"爆竹", "一串鞭炮", "firecracker"},
    {"纸鸢 风筝", "一只风筝", "kite"},
    {"羽 翎", "一根羽毛", "feather"},
    {"锁", "一把锁", "lock"},
    {"钱", "一枚硬币", "coin"},
    {"裙", "一条裙子", "dress"},
    {"帚", "一把扫帚", "broom"},
    {"梯", "一架梯子", "ladder"},
    {"鼓", "一面鼓", "drum"},
    {"笛 箫 笙", "一支笛子", "flute"},
    {"钟 铃", "一个铃铛", "bell"},
    {"伞 蓑 笠", "一把伞", "umbrella"},
    {"钓 竿", "一根钓鱼竿", "fishing rod"},
    {"车 轮", "一个车轮", "wheel"},
    {"凤 凰 鸾", "一只凤凰", "phoenix"},
    {"龙", "一条龙", "dragon"},
    {"虎", "一只老虎", "tiger"},
    {"马 骑 骏 鞍", "一匹马", "horse"},
    {"牛 犊", "一头牛", "ox"},
    {"羊", "一只绵羊", "sheep"},
    {"鹿", "一只鹿", "deer"},
    {"猿 猴", "一只猴子", "monkey"},
    {"犬 狗", "一只狗", "dog"},
    {"猫", "一只猫", "cat"},
    {"狐", "一只狐狸", "fox"},
    {"狼 豺", "一只狼", "wolf"},
    {"驼", "一匹骆驼", "camel"},
    {"鼠", "一只老鼠", "mouse"},
    {"兔", "一只兔子", "rabbit"},
    {"鸡", "一只鸡", "chicken"},
    {"鹰 雕 隼", "一只老鹰", "eagle"},
    {"鹤 鹄 鸿鹄", "一只天鹅", "swan"},
    {"鹅 雁 鸿", "一只鹅", "goose"},
    {"鸳鸯 鸭 凫", "一只鸭子", "duck"},
    {"孔雀", "一只孔雀", "peacock"},
    {"鹦鹉", "一只鹦鹉", "parrot"},
    {"枭 鸮 鸱", "一只猫头鹰", "owl"},
    {"鸠 鸽", "一只鸽子", "dove"},
    {"燕 莺 鸟 雀 鸦 鹃 鹂 禽 鸥 鹭", "一只鸟", "bird"},
    {"鱼 鲤 鲈 鳞", "一条鱼", "fish"},
    {"龟", "一只乌龟", "turtle"},
    {"鲸", "一头鲸鱼", "whale"},
    {"蟹", "一只螃蟹", "crab"},
    {"虾", "一只虾", "shrimp"},
    {"贝 螺", "一个海螺", "seashell"},
    {"蛇 虺", "一条蛇", "snake"},
    {"蛙", "一只青蛙", "frog"},
    {"蝶", "一只蝴蝶", "butterfly"},
    {"蜂", "一只蜜蜂", "bee"},
    {"蛛", "一只蜘蛛", "spider"},
    {"蚁 蝼", "一只蚂蚁", "ant"},
    {"蝉 蛩 蟋 虫", "一只蟋蟀", "cricket"},
    {"夕阳 斜阳 落日 残阳 暮 晚 黄昏", "日落", "sunset"},
    {"朝阳 旭日 晓 晨 曙 日出", "日出", "sunrise"},
    {"银河 天河 河汉 星汉", "银河", "milky way"},
    {"流星", "一颗流星", "shooting star"},
    {"星", "一颗星星", "star"},
    {"日 阳 晴", "一个太阳", "sun"},
    {"虹 霓", "一道彩虹", "rainbow"},
    {"雪 霜 冰 寒 冬", "一片雪花", "snowflake"},
    {"雨 霖", "一朵雨云", "rain cloud"},
    {"雷 电", "一道闪电", "lightning bolt"},
    {"露 泪 珠", "一滴水滴", "drop of water"},
    {"云 霞 烟 雾", "一朵云", "cloud"},
    {"风 飘", "风中的叶子", "leaves in the wind"},
    {"秋", "一片枫叶", "maple leaf"},
    {"春", "一朵花", "flower"},
    {"夏", "一朵莲花", "lotus"},
    {"夜 宵", "一弯月亮", "crescent moon"},
    {"天 空 霄", "一朵云", "cloud"},
    {"玉 翠 璧", "一颗宝石", "gem"},
    {"心 情 爱 思 愁", "一颗红色的心", "red heart"},
};
enum { N_MOTIFS = sizeof motifs / sizeof *motifs, HEADING_WEIGHT = 4 };

typedef struct weight {
  const ink_motif *motif;
  int weight;
  int first;  // when it was met
} weight;

// The motif whose longest sign stands at `at`; its bytes in *length.
static const ink_motif *motif_at(const char *at, size_t *length) {
  const ink_motif *best = NULL;
  *length = 0;
  for (size_t i = 0; i < N_MOTIFS; i++) {
    for (const char *sign = motifs[i].signs; *sign;) {
      size_t n = strcspn(sign, " ");
      if (n > *length && strncmp(at, sign, n) == 0) {
        best = &motifs[i];
        *length = n;
      }
      sign += n + (sign[n] == ' ');
    }
  }
  return best;
}

static void weigh(const char *text, int each, weight *weights, size_t *n, int *met) {
  for (const char *at = text; text && *at;) {
    size_t length;
    const ink_motif *motif = motif_at(at, &length);
    at += motif ? length : 1;
    if (!motif) continue;
    size_t i = 0;
    // Two rows may draw the same thing.
    while (i < *n && strcmp(weights[i].motif->phrase, motif->phrase) != 0) i++;
    if (i == *n) weights[(*n)++] = (weight){motif, 0, (*met)++};
    weights[i].weight += each;
  }
}

static bool before(const weight *a, const weight *b) {
  return a->weight > b->weight || (a->weight == b->weight && a->first < b->first);
}

size_t ink_motifs_of(const char *heading, const char *text, size_t most, const ink_motif **found) {
  weight weights[N_MOTIFS];
  size_t n = 0, given = 0;
  int met = 0;
  weigh(heading, HEADING_WEIGHT, weights, &n, &met);
  weigh(text, 1, weights, &n, &met);
  for (; given < most && given < n; given++) {
    size_t best = given;
    for (size_t i = given + 1; i < n; i++) {
      if (before(&weights[i], &weights[best])) best = i;
    }
    weight swap = weights[given];
    weights[given] = weights[best];
    weights[best] = swap;
    found[given] = weights[given].motif;
  }
  return given;
}
