//! The contrast of the page's colours in both themes, computed from the tokens (WCAG 2.2, 1.4.3 and 1.4.11).

use std::collections::BTreeMap;

const TOKENS: &str = include_str!("../../assets/style/tokens.css");

/// The least contrast of text, and of glyphs, rings and borders.
const TEXT: f64 = 4.5;
const GLYPH: f64 = 3.0;

const GROUNDS: [&str; 5] = ["ground", "raised", "sunken", "hover", "chosen"];
const INKS: [&str; 7] = ["ink", "ink-2", "ink-3", "accent", "clean", "drift", "wrong"];
const MARKS: [&str; 6] = [
    "clean-mark",
    "drift-mark",
    "wrong-mark",
    "quiet-mark",
    "edge",
    "accent-fill",
];

/// A colour of linear light: red, green and blue from 0 to 1.
type Colour = [f64; 3];

/// Returns the colours of a theme by their names.
fn theme(is_dark: bool) -> BTreeMap<&'static str, Colour> {
    let declared = TOKENS.lines().filter_map(|line| {
        let (name, value) = line
            .trim()
            .strip_prefix("--")?
            .split_once(": light-dark(")?;
        let mut values = value.split("oklch(").skip(1);
        let value = values.nth(usize::from(is_dark))?.split_once(')')?.0;
        // The shadow is under things and no ground of text; its colours have an opacity.
        let numbers: Option<Vec<f64>> = value.split(' ').map(|part| part.parse().ok()).collect();
        let numbers: [f64; 3] = numbers?.try_into().ok()?;
        Some((name, from_oklch(numbers)))
    });
    declared.collect()
}

/// Converts OKLCH, as CSS Color 4 does, and clips what a screen cannot show.
fn from_oklch([lightness, chroma, hue]: [f64; 3]) -> Colour {
    let (a, b) = (
        chroma * hue.to_radians().cos(),
        chroma * hue.to_radians().sin(),
    );
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ]
    .map(|part| part.clamp(0.0, 1.0))
}

/// Returns what a colour of an opacity looks like on a ground. Browsers mix the values of sRGB.
fn over(top: Colour, opacity: f64, ground: Colour) -> Colour {
    let mixed = |index: usize| {
        let mixed = srgb(top[index]) * opacity + srgb(ground[index]) * (1.0 - opacity);
        linear(mixed)
    };
    [mixed(0), mixed(1), mixed(2)]
}

fn srgb(linear: f64) -> f64 {
    match linear <= 0.003_130_8 {
        true => 12.92 * linear,
        false => 1.055 * linear.powf(1.0 / 2.4) - 0.055,
    }
}

fn linear(srgb: f64) -> f64 {
    match srgb <= 0.040_45 {
        true => srgb / 12.92,
        false => ((srgb + 0.055) / 1.055).powf(2.4),
    }
}

/// Returns the contrast of two colours, from 1 to 21.
fn contrast(one: Colour, other: Colour) -> f64 {
    let luminance = |[red, green, blue]: Colour| 0.212_6 * red + 0.715_2 * green + 0.072_2 * blue;
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Returns the opacity of a tint, such as the 10 of `color-mix(in oklab, var(--clean-mark) 10%, transparent)`, and
/// the colour that it is of.
fn tint(name: &str) -> (&'static str, f64) {
    let begin = format!("--{name}: color-mix(in oklab, var(--");
    let (_, value) = TOKENS.split_once(&begin).unwrap();
    let (colour, rest) = value.split_once(") ").unwrap();
    let (percent, _) = rest.split_once("%, transparent)").unwrap();
    (colour, percent.parse::<f64>().unwrap() / 100.0)
}

#[test]
fn every_colour_is_readable_on_its_ground() {
    for is_dark in [false, true] {
        let theme = theme(is_dark);
        let check = |name: &str, ground: Colour, on: &str, least: f64| {
            let found = contrast(theme[name], ground);
            assert!(
                found >= least,
                "{name} on {on}, dark {is_dark}: {found:.2} is less than {least}"
            );
        };
        for ground in GROUNDS {
            for ink in INKS {
                check(ink, theme[ground], ground, TEXT);
            }
            for mark in MARKS {
                check(mark, theme[ground], ground, GLYPH);
            }
        }
        for fill in ["accent-fill", "accent-fill-hover"] {
            check("on-accent", theme[fill], fill, TEXT);
        }
        for number in 0..6 {
            let head = format!("head-{number}");
            check("ink", theme[head.as_str()], &head, TEXT);
            // Neighbours differ in their lightness too.
            let next = format!("head-{}", (number + 1) % 6);
            check(&head, theme[next.as_str()], &next, 1.35);
        }
        for (name, opacity, inks) in [
            ("added-line", 0.1, &["ink", "ink-3", "clean", "wrong"][..]),
            ("removed-line", 0.1, &["ink", "ink-3", "clean", "wrong"]),
            ("added-word", 0.28, &["ink"]),
            ("removed-word", 0.28, &["ink"]),
        ] {
            let (colour, declared) = tint(name);
            assert_eq!(declared, opacity, "{name}");
            for ink in inks {
                check(
                    ink,
                    over(theme[colour], opacity, theme["ground"]),
                    name,
                    TEXT,
                );
            }
        }
    }
}

#[test]
fn contrast_is_that_of_the_standard() {
    let check = |one: [f64; 3], other: [f64; 3], expected: f64| {
        let found = contrast(one.map(linear), other.map(linear));
        assert!(
            (found - expected).abs() < 0.01,
            "{found} and not {expected}"
        );
    };
    check([0.0; 3], [1.0; 3], 21.0);
    check([1.0; 3], [1.0; 3], 1.0);
    // Pure red and #777777 on white.
    check([1.0, 0.0, 0.0], [1.0; 3], 4.0);
    check([119.0 / 255.0; 3], [1.0; 3], 4.48);
    // The same colours as OKLCH.
    for (oklch, expected) in [
        ([1.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
        ([0.627_955, 0.257_683, 29.234], [1.0, 0.0, 0.0]),
    ] {
        for (found, expected) in from_oklch(oklch).into_iter().zip(expected) {
            assert!((found - expected).abs() < 0.001, "{oklch:?}: {found}");
        }
    }
}

#[test]
fn both_themes_have_every_colour() {
    let (light, dark) = (theme(false), theme(true));
    assert!(light.keys().eq(dark.keys()));
    let declared = TOKENS.matches(": light-dark(").count();
    assert_eq!(light.len(), declared, "{:?}", light.keys());
}
