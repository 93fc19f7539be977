"""Words with a meaning of their own: tastes by other names, and ordinary words that must not be taken for typos."""

from __future__ import annotations

import re

__all__ = ["ORDINARY_WORDS", "TAG_WORDS"]

TAG_WORDS = {
    "boozy": "strong",
    "powerful": "strong",
    "stiff": "strong",
    "spirit forward": "strong",
    "low alcohol": "light",
    "low abv": "light",
    "mild": "light",
    "fresh": "refreshing",
    "cooling": "refreshing",
    "thirst quenching": "refreshing",
    "summery": "refreshing",
    "tart": "sour",
    "citrusy": "sour",
    "tangy": "sour",
    "sugary": "sweet",
    "dessert": "sweet",
    "bitter sweet": "bitter",
    "bittersweet": "bitter",
    "aperitif": "bitter",
    "aperitivo": "bitter",
    "creamed": "creamy",
    "milky": "creamy",
    "velvety": "creamy",
    "silky": "creamy",
    "warm": "hot",
    "warming": "hot",
    "smokey": "smoky",
    "smoke": "smoky",
    "peaty": "smoky",
    "fruit": "fruity",
    "tropical": "fruity",
    "tiki": "fruity",
    "herb": "herbal",
    "herby": "herbal",
    "floral": "herbal",
    "minty": "herbal",
    "spice": "spicy",
    "spiced": "spicy",
    "gingery": "spicy",
    "fizzy": "sparkling",
    "bubble": "sparkling",
    "bubbles": "sparkling",
    "long drink": "sparkling",
    "hot day": "refreshing",
    "hot today": "refreshing",
    "hot outside": "refreshing",
    "hot here": "refreshing",
    "so hot": "refreshing",
    "too hot": "refreshing",
    "summer": "refreshing",
    "heat": "refreshing",
    "cold day": "hot",
    "cold outside": "hot",
    "cold here": "hot",
    "so cold": "hot",
    "im cold": "hot",
    "freezing": "hot",
    "winter": "hot",
    "nightcap": "strong",
    "brunch": "light",
    "after dinner": "creamy",
    "before dinner": "bitter",
    "alcohol free": "non-alcoholic",
    "alcoholfree": "non-alcoholic",
    "nonalcoholic": "non-alcoholic",
    "no alcohol": "non-alcoholic",
    "without alcohol": "non-alcoholic",
    "zero proof": "non-alcoholic",
    "zero alcohol": "non-alcoholic",
    "mocktail": "non-alcoholic",
    "virgin": "non-alcoholic",
    "alcohol": "alcohol",
    "booze": "alcohol",
    "timeless": "classic",
    "well known": "classic",
    "famous": "classic",
}

#: Words of ordinary requests.  One of these is never corrected into a drink, and a typo in one of them is corrected.
ORDINARY_WORDS = frozenset(
    re.findall(
        r"[a-z]+",
        """
        a able about above across actually add afraid after again against ago ahead all allergic allergy
        allow almost alone along already also although always am among an and another answer any anything
        apart appear are arm around arrive art as ask at away baby bad ball band bank bar bartender base
        bath be bean bear beat because become been beer before begin behind believe below beside best better
        between beyond big bit black blood blue board boat body book born both bottle bought brand brands
        bread break bright bring brown build burn busy button buy bye call came can capital car card care
        carry case cat catch cause centre certain chair chance change check cheers child choose city class
        clean clear clock close clothes cloud coat cocktail cold colour come common complete computer
        contain control cook copy corn correct cost could couldn count country course cover create cross
        crowd cry cupboard cut dance dark daughter day dead deal dear death decide deep delete depend
        describe desk didn die difference different dirty dislike do doctor does doesn dog doing don dont
        door double down draw dream dress drink drinking driving drop dry during each ear early earth east
        else empty end enjoy enough enter entire erase even evening every everything example except excuse
        explain eye face fact fall family fan far farm fast father favorite favourite fear feel feet few
        fight figure fill film find fine finger finish fire first fish five floor flower fly follow fond
        foot for force forget form four free fridge friend from front full fun funny future game garden
        general get girl give glad glass go going good goodbye got grass great green ground group grow guess
        guest guitar had hair half hand happen happy hard has hate have having head hear heart heavy held
        hello help here hey hi high hill hold hole home hope horse hospital hour house how hows huge human
        hundred hungry hurry husband i id if ill im important in inch ingredient inside instead internet
        into invent is island isn it its ive jack job join judge jump just keep key kill kind king kitchen
        know lactose land language large last late later laugh law lay lead learn leave left leg less lesson
        let lets letter lie life lift light like line lion list little live ll long lose lost lot loud love
        lower lunch machine made main make making man many map mark market marry matter maybe me meal mean
        measure meat meet member memory menu message metal middle might mile milliliter millilitre million
        mind mine minute miss mix moment money month moon more morning most mother mountain mouse mouth move
        movie much music must my name narrow nature near necessary neck need never new newspaper next nice
        night no nobody noise none noon north nose not note nothing notice now number object ocean of off
        offer office often oil okay old on once one only open opinion or order other ounce our out over page
        paint pair paper parent park part party pass past pay peace pen pencil people perhaps person phone
        photo picture piece place plan plane plant plate play please point police poor portion possible
        pound pour power practice prefer pregnant present president pretty price probably problem produce
        promise pull push put question quick quickly quiet quit rain raise rather re reach read ready really
        reason receive recipe recommend red remain remember repeat report rest result rich ride right ring
        rise river road rock room round rule run sad safe sail salad same sand sat save saw say school
        science sea season seat second see sell send sense sentence serve serving seven several shake share
        sharp ship shirt shoe shop short should shoulder shouldn shout show sick side sign silver simple
        since sing single sister sit six size skin sky sleep slow small smell smile snow so soldier some
        someone something song soon sort sound south space speak special spell spend spot spring square
        stand star start state station stay step still stir stone stop store storm story straight strange
        street string stronger student study such sudden suggest suggestion supper surface surprise sweeter
        swim system table tail take talk taste teach team tear tell ten test than thank thanks that the
        their them then there theres these they thing think third this those though thought thousand three
        through throw thus till time tiny tired to today toe together told tomorrow tone tonight too tool
        top touch toward town trade train travel tree trip trouble true try turn twelve twenty two type
        uncle under understand unit until up us use usual valley various ve vegan vegetarian very view
        village visit voice wait walk wall wander want war was wash wasn watch water wave way we weak weaker
        wear weather week welcome well went were west weve what whats wheel when where which while white who
        whole why wide wife wild will wind window wing wish with without woman wonder wonderful wood word
        work world worry worse would wouldn write wrong yard year yes yesterday yet you young your zero
        """,
    )
)
