//! What people call things: other names of the classes and colours, and every form in which a name is understood.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::class::{Class, Colour};
use super::plural::english_plural;

/// Other names, by class. Where one is a wider or narrower word ("ball", "puppy"), the reading says what it was taken
/// for.
#[rustfmt::skip]
const ALIASES: [(&str, &[&str]); 68] = [
    ("person", &["man", "woman", "boy", "girl", "human", "lady", "guy", "child", "kid"]),
    ("bicycle", &["bike", "cycle", "push bike"]),
    ("car", &["automobile", "auto", "taxi", "cab", "sedan"]),
    ("motorcycle", &["motorbike", "motor bike", "moped"]),
    ("airplane", &["plane", "aeroplane", "aircraft", "jet", "airliner"]),
    ("bus", &["coach", "school bus"]),
    ("train", &["locomotive"]),
    ("truck", &["lorry", "van", "pickup", "pickup truck"]),
    ("boat", &["ship", "sailboat", "sailing boat", "sail boat", "yacht", "rowboat"]),
    ("traffic light", &["traffic signal", "stoplight", "stop light", "trafficlight"]),
    ("fire hydrant", &["hydrant", "fireplug"]),
    ("stop sign", &["stopsign"]),
    ("parking meter", &["meter"]),
    ("bench", &["park bench"]),
    ("bird", &["parrot", "pigeon", "sparrow", "duck", "eagle", "owl"]),
    ("cat", &["kitten", "kitty"]),
    ("dog", &["puppy", "pup", "doggy", "doggie", "hound"]),
    ("horse", &["pony", "foal", "stallion", "mare"]),
    ("sheep", &["lamb", "ram"]),
    ("cow", &["bull", "ox", "calf"]),
    ("bear", &["polar bear", "grizzly", "grizzly bear"]),
    ("backpack", &["rucksack", "knapsack", "school bag", "schoolbag", "back pack"]),
    ("umbrella", &["parasol", "brolly"]),
    ("handbag", &["purse", "bag", "hand bag"]),
    ("tie", &["necktie", "neck tie"]),
    ("suitcase", &["luggage", "briefcase"]),
    ("frisbee", &["flying disc", "flying disk"]),
    ("skis", &["ski"]),
    ("snowboard", &["snow board"]),
    ("sports ball", &["ball", "soccer ball", "football", "basketball", "volleyball", "sport ball", "sportsball"]),
    ("baseball bat", &["bat"]),
    ("baseball glove", &["glove", "baseball mitt", "mitt"]),
    ("skateboard", &["skate board"]),
    ("surfboard", &["surf board"]),
    ("tennis racket", &["racket", "racquet", "tennis racquet"]),
    ("bottle", &["water bottle", "wine bottle"]),
    ("wine glass", &["glass", "wineglass", "goblet"]),
    ("cup", &["mug", "coffee cup", "coffee mug", "teacup", "tea cup"]),
    ("spoon", &["teaspoon", "tablespoon"]),
    ("orange", &["tangerine", "mandarin"]),
    ("hot dog", &["hotdog"]),
    ("pizza", &["slice of pizza", "pizza slice"]),
    ("donut", &["doughnut"]),
    ("cake", &["birthday cake"]),
    ("chair", &["armchair", "arm chair"]),
    ("couch", &["sofa", "settee"]),
    ("potted plant", &["plant", "houseplant", "house plant", "pot plant", "flower pot", "flowerpot", "flower"]),
    ("dining table", &["table", "desk", "dinner table", "kitchen table"]),
    ("toilet", &["loo", "lavatory"]),
    ("tv", &["television", "telly", "tv set", "television set", "t v", "monitor"]),
    ("laptop", &["computer", "laptop computer"]),
    ("computer mouse", &["mouse"]),
    ("tv remote", &["remote", "remote control", "tv remote control", "television remote"]),
    ("computer keyboard", &["keyboard"]),
    ("cell phone", &["phone", "mobile", "mobile phone", "cellphone", "smartphone", "smart phone", "telephone"]),
    ("microwave", &["microwave oven"]),
    ("oven", &["stove", "cooker"]),
    ("sink", &["basin", "washbasin", "wash basin"]),
    ("refrigerator", &["fridge", "freezer"]),
    ("book", &["notebook"]),
    ("clock", &["alarm clock", "wall clock"]),
    ("scissors", &["scissor", "shears"]),
    ("teddy bear", &["teddy", "teddybear", "stuffed bear"]),
    ("hair drier", &["hair dryer", "hairdryer", "hairdrier", "blow dryer", "dryer"]),
    ("toothbrush", &["tooth brush"]),
    ("knife", &["kitchen knife"]),
    ("fork", &["dinner fork"]),
    ("vase", &["flower vase"]),
];

/// Other names of colours, near enough to be taken for them.
#[rustfmt::skip]
const COLOUR_ALIASES: [(&str, Colour); 16] = [
    ("violet", Colour::Purple), ("lilac", Colour::Purple), ("lavender", Colour::Purple),
    ("crimson", Colour::Red), ("scarlet", Colour::Red),
    ("navy", Colour::Blue), ("azure", Colour::Blue),
    ("lime", Colour::Green), ("olive", Colour::Green),
    ("magenta", Colour::Pink), ("rose", Colour::Pink),
    ("golden", Colour::Yellow), ("gold", Colour::Yellow),
    ("cream", Colour::White), ("ivory", Colour::White),
    ("chocolate", Colour::Brown),
];

/// Colours that lie between those of the world, and their neighbours.
const FOREIGN_COLOURS: [(&str, [Colour; 2]); 10] = [
    ("grey", [Colour::Black, Colour::White]),
    ("gray", [Colour::Black, Colour::White]),
    ("silver", [Colour::White, Colour::Black]),
    ("beige", [Colour::White, Colour::Brown]),
    ("tan", [Colour::Brown, Colour::White]),
    ("maroon", [Colour::Red, Colour::Brown]),
    ("turquoise", [Colour::Blue, Colour::Green]),
    ("teal", [Colour::Blue, Colour::Green]),
    ("cyan", [Colour::Blue, Colour::Green]),
    ("indigo", [Colour::Blue, Colour::Purple]),
];

/// A form of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noun {
    /// What it names.
    pub class: Class,
    /// Whether it says that there are several. A form that can be either, such as `sheep`, does not.
    pub plural: bool,
    /// Whether it is another name than the class's own.
    pub alias: bool,
}

/// The most words a form has.
pub(super) const LONGEST_NOUN: usize = 3;

/// Every form that is understood, its words separated by one space: the class's own name before other names, and one
/// thing before several.
pub(super) static NOUNS: LazyLock<HashMap<String, Noun>> = LazyLock::new(|| {
    let mut nouns = HashMap::new();
    let own = || Class::all().map(|class| (class, class.name()));
    let others = || {
        ALIASES
            .iter()
            .filter_map(|(name, others)| Some((Class::named(name)?, *others)))
            .flat_map(|(class, others)| others.iter().map(move |other| (class, *other)))
    };
    let mut add = |form: String, class, plural, alias| {
        nouns.entry(form).or_insert(Noun { class, plural, alias });
    };
    own().for_each(|(class, name)| add(name.to_owned(), class, false, false));
    own().for_each(|(class, name)| {
        add(class.plural().to_owned(), class, true, false);
        add(english_plural(name), class, true, false);
        // What a learner types where English wants "knives" or "mice".
        add(format!("{name}s"), class, true, false);
    });
    others().for_each(|(class, name)| add(name.to_owned(), class, false, true));
    others().for_each(|(class, name)| {
        add(english_plural(name), class, true, true);
        add(format!("{name}s"), class, true, true);
    });
    nouns
});

/// The colour that a word names, and whether it is another name of it.
pub(super) fn colour_of(word: &str) -> Option<(Colour, bool)> {
    let other = || COLOUR_ALIASES.iter().find(|(name, _)| *name == word).map(|(_, colour)| (*colour, true));
    Colour::named(word).map(|colour| (colour, false)).or_else(other)
}

/// The neighbours of a colour that this world does not have; none where the word is no such colour.
pub(super) fn foreign_colour(word: &str) -> Option<[Colour; 2]> {
    FOREIGN_COLOURS.iter().find(|(name, _)| *name == word).map(|(_, near)| *near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_names_a_class_and_no_class_is_an_alias() {
        for (name, others) in ALIASES {
            assert!(Class::named(name).is_some(), "{name}");
            for other in others {
                assert!(Class::named(other).is_none(), "{other}");
                let class = NOUNS.get(*other).map(|noun| noun.class.name());
                assert_eq!(class, Some(name), "{other} is read as {class:?}");
            }
        }
        assert!(NOUNS.keys().all(|form| form.split(' ').count() <= LONGEST_NOUN));
    }
}
