"""Invented company and person names for three countries. Deterministic; no two customers share a name. Pure."""

from __future__ import annotations

import random

_US_FIRST = (
    "Alder Amber Anchor Apex Arbor Ashgrove Atlas Aurora Beacon Birchline Blue_Ridge Bluewater Bramble Bright_Harbor "
    "Broadleaf Canyon Cardinal Cascade Cedar Cinder Clearbrook Cobalt Compass Copper Coral Cornerstone Crescent "
    "Driftwood Eastgate Ember Evergreen Fairway Falcon Fernhill Flint Foxglove Granite Graywater Greenfield Harbor "
    "Hawthorn Hazel Highland Hollow Ironwood Juniper Keystone Kingfisher Lakeside Lantern Larkspur Laurel Ledger "
    "Lighthouse Linden Lodestar Maple Meadow Mesa Midland Millbrook Mistral Moonrise Northgate Oakhurst Orchard "
    "Osprey Pacific Pebble Pinecrest Pioneer Prairie Quarry Quill Redwood Ridgeway Rivermark Rosewood Rowan Sable "
    "Saltmarsh Sequoia Sierra Silverline Slate Solstice Sparrow Spruce Stonebridge Summit Sycamore Tallgrass "
    "Thornbury Tidewater Timber Trailhead Union Valley Vista Walnut Westfield Whitecap Wildflower Willow Windward "
    "Yarrow Zephyr"
)
_US_SECOND = (
    "Analytics Biologics Capital Controls Data Dynamics Diagnostics Energy Engineering Foods Freight Health "
    "Instruments Insurance Labs Learning Logistics Manufacturing Materials Media Medical Mobility Networks Optics "
    "Outfitters Payments Pharma Power Robotics Security Semiconductor Shipping Software Solar Systems Technologies "
    "Telecom Textiles Tools Travel Works"
)
_US_FORM = ("Inc.", "Inc.", "Inc.", "LLC", "Corp.", "Co.", "Group", "Holdings Inc.")
_DE_FIRST = (
    "Albrecht Bäcker Bergmann Blümel Brückner Burgdorf Dörfler Ebersbach Eichhorn Engelhardt Fährmann Falkenau "
    "Feldmann Förster Frühauf Geißler Görres Großmann Grünwald Hägele Hartung Heidelück Höfer Hübner Jäger Kästner "
    "Kleinböhl Köhler Krämer Kühnel Lindner Löffler Lübbe Märker Möhring Mühlbauer Neuhäuser Nordhoff Oberländer "
    "Pfäffle Quandel Reichelt Rößler Rüdiger Sänger Schäfer Schönfeld Schröter Schütte Seidel Steinbrück Straßer "
    "Süßmann Tannhof Uhlmann Vögele Wagenknecht Weißbach Wieland Würth-Lang Zeidler Zöllner"
)
_DE_SECOND = (
    "Anlagenbau Antriebstechnik Apparatebau Automation Bauelemente Beschläge Datentechnik Druckmaschinen Elektronik "
    "Fahrzeugteile Fördertechnik Gerätebau Getränke Hydraulik Industriebedarf Kältetechnik Kunststoffe Lebensmittel "
    "Logistik Maschinenbau Medizintechnik Messtechnik Möbelwerke Oberflächen Optik Präzisionsteile Prüftechnik "
    "Sensorik Software Spedition Stahlbau Systemtechnik Umwelttechnik Verpackungen Versicherungsdienste Wärmetechnik "
    "Werkzeuge"
)
_DE_FORM = ("GmbH", "GmbH", "GmbH", "AG", "GmbH & Co. KG", "SE", "KG")
_JP_FIRST = (
    "青葉 朝日 旭 泉 岩倉 大空 小川 鏡山 笠原 霞 神田 菊水 北斗 銀河 桜井 早苗 三和 鹿島 清水 白樺 新星 瑞穂 高砂 "
    "辰巳 月島 翼 東雲 常磐 永井 渚 西陣 日昇 野村原 白山 花園 光 藤波 富士見 星野 松風 丸玉 緑川 港 都 宮前 武蔵野 "
    "明星 森永原 八重 柳 山吹 横川 若葉"
)
_JP_SECOND = "システム 電機 工業 精密 物流 製薬 食品 商事 通信 化学 建設 機械 情報 光学 運輸 素材 繊維 保険 印刷 エネルギー"
_JP_ROMAN_FIRST = (
    "Akebono Asagiri Chitose Fujimori Hachiman Harukaze Hayate Hoshino Ibuki Ishikari Kaede Kamogawa Kasumi "
    "Kawanishi Kirishima Komorebi Kurama Matsuba Minato Mizuho Nagisa Nishiki Ogura Ryusei Sakuragi Sazanami "
    "Shinonome Shirakawa Suzukaze Tachibana Takao Tokiwa Tsubame Wakaba Yamabuki Yukari"
)
_JP_ROMAN_SECOND = (
    "Denki Kogyo Seimitsu Butsuryu Seiyaku Shokuhin Shoji Tsushin Kagaku Kensetsu Kikai Joho Kogaku Unyu Sozai Digital Robotics"
)
_PEOPLE = (
    "Avery Collins|Priya Raman|Marcus Bell|Jonas Weber|Lena Brandt|Sofia Keller|Haruto Mori|Yuki Tanabe|Aiko Sugita|Daniel Ortiz|"
    "Grace Lindholm|Tobias Krüger"
)
INDUSTRIES = (
    "Manufacturing", "Technology", "Healthcare", "Financial Services", "Retail", "Transportation", "Energy", "Education",
    "Media", "Food & Beverage",
)  # fmt: skip


class NameGenerator:
    """Draws names; remembers what it gave."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._given: set[str] = {HERO_NAME}

    def company(self, country: str) -> str:
        """A name as a customer of this country (US, DE, JP) would be registered."""
        for _ in range(50):
            name = self._draw(country)
            if name not in self._given:
                break
        else:
            name = f"{name} {len(self._given)}"
        self._given.add(name)
        return name

    def _draw(self, country: str) -> str:
        pick = self._rng.choice
        if country == "DE":
            return f"{pick(_DE_FIRST.split())} {pick(_DE_SECOND.split())} {pick(_DE_FORM)}"
        if country == "JP":
            if self._rng.random() < 0.6:
                return f"{pick(_JP_ROMAN_FIRST.split())} {pick(_JP_ROMAN_SECOND.split())} K.K."
            return f"株式会社{pick(_JP_FIRST.split())}{pick(_JP_SECOND.split())}"
        first = pick(_US_FIRST.split()).replace("_", " ")
        return f"{first} {pick(_US_SECOND.split())} {pick(_US_FORM)}"


HERO_NAME = "Halden Robotics GmbH"
"""The customer whose story `play` tells."""


def people() -> list[tuple[str, str]]:
    """(name, ASCII e-mail address) of our own customer-success people."""
    plain = str.maketrans({"ü": "ue", "ä": "ae", "ö": "oe", "ß": "ss"})
    return [(name, f"{name.lower().replace(' ', '.').translate(plain)}@meridian.example") for name in _PEOPLE.split("|")]


def domain(number: int) -> str:
    """A customer's web domain under a reserved name."""
    return f"customer-{number:04d}.example"
