//! Doc comments: every public item has one, and each says more than the name below it. A field or
//! a variant has one only if there is more to say, which is why this is not rustc's `missing_docs`.

use syn::{Attribute, Ident, ImplItem, Item, TraitItem, Type, Visibility};

use super::Breach;
use super::files::File;

/// The fewest words that can say more than a name does.
const WORDS_MIN: usize = 3;

/// Reports doc comments that are too short, and public items that have none.
pub fn check(file: &File) -> Vec<Breach> {
    let Some(source) = file.rust() else {
        return Vec::new();
    };
    let mut breaches = check_terse(&file.path, source);
    let is_test =
        file.path.split('/').any(|part| part == "tests") || file.path.ends_with("/tests.rs");
    // The compiler reports a file that does not parse.
    if !is_test && let Ok(parsed) = syn::parse_file(source) {
        let undocumented = undocumented(&parsed.items);
        breaches.extend(undocumented.into_iter().map(|index| {
            let says = "a public item without a doc comment: say what it is, does or returns";
            Breach::at_line(&file.path, index, says)
        }));
    }
    breaches
}

fn check_terse(path: &str, source: &str) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut words = 0;
    for (index, line) in source.lines().enumerate() {
        match line.trim_start().strip_prefix("///") {
            Some(text) => words += text.split_whitespace().count(),
            None => {
                // The title of a route in the API's document.
                let is_title = line.trim_start().starts_with("#[utoipa::path(");
                if (1..WORDS_MIN).contains(&words) && !is_title {
                    let says = "a doc comment of one or two words repeats the name: say more, or leave it out";
                    breaches.push(Breach::at_line(path, index - 1, says));
                }
                words = 0;
            }
        }
    }
    breaches
}

/// Returns the lines, counted from 0, of the public items without a doc comment. Leaves out
/// modules, because their heads say what they are, and methods of private types.
fn undocumented(items: &[Item]) -> Vec<usize> {
    let private: Vec<&Ident> = items.iter().filter_map(private_type).collect();
    let is_of_private = |item: &Item| type_of(item).is_some_and(|name| private.contains(&name));
    let mut found = Vec::new();
    for item in items.iter().filter(|item| !is_of_private(item)) {
        if let Item::Mod(module) = item
            && is_public(&module.vis)
        {
            let inner = module
                .content
                .iter()
                .flat_map(|(_, items)| undocumented(items));
            found.extend(inner);
        }
        let public = public_names(item).into_iter();
        let bare = public.filter(|(attributes, _)| !attributes.iter().any(is_doc));
        found.extend(bare.map(|(_, name)| name.span().start().line - 1));
    }
    found
}

/// Returns the public names that an item gives, each with the attributes before it.
fn public_names(item: &Item) -> Vec<(&[Attribute], &Ident)> {
    let (visibility, attributes, name) = match item {
        Item::Fn(item) => (&item.vis, &item.attrs, &item.sig.ident),
        Item::Struct(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Enum(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Const(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Static(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Type(item) => (&item.vis, &item.attrs, &item.ident),
        Item::Trait(item) if is_public(&item.vis) => {
            let methods = item.items.iter().filter_map(|member| match member {
                TraitItem::Fn(method) => Some((&method.attrs[..], &method.sig.ident)),
                _ => None,
            });
            return methods.chain([(&item.attrs[..], &item.ident)]).collect();
        }
        Item::Impl(item) if item.trait_.is_none() => {
            let members = item.items.iter().filter_map(|member| match member {
                ImplItem::Fn(method) => Some((&method.vis, &method.attrs[..], &method.sig.ident)),
                ImplItem::Const(item) => Some((&item.vis, &item.attrs[..], &item.ident)),
                _ => None,
            });
            let public = members.filter(|(visibility, ..)| is_public(visibility));
            return public
                .map(|(_, attributes, name)| (attributes, name))
                .collect();
        }
        _ => return Vec::new(),
    };
    match is_public(visibility) {
        true => vec![(attributes, name)],
        false => Vec::new(),
    }
}

/// Returns the name of a type that is not public.
fn private_type(item: &Item) -> Option<&Ident> {
    match item {
        Item::Struct(item) => (!is_public(&item.vis)).then_some(&item.ident),
        Item::Enum(item) => (!is_public(&item.vis)).then_some(&item.ident),
        _ => None,
    }
}

/// Returns the type that an `impl` block gives methods to.
fn type_of(item: &Item) -> Option<&Ident> {
    let Item::Impl(item) = item else { return None };
    let Type::Path(named) = &*item.self_ty else {
        return None;
    };
    named.path.segments.last().map(|segment| &segment.ident)
}

fn is_doc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

#[cfg(test)]
mod tests {
    use crate::tidy::{file, lines};

    fn check(path: &str, source: &str) -> Vec<String> {
        lines(super::check(&file(path, source)))
    }

    #[test]
    fn a_doc_comment_says_more_than_a_name() {
        let source = "/// Its id.\nid: u8,\n/// Why.\nreason: u8,\n/// List chats\n#[utoipa::path(get)]\nfn f() {}\n/// Bytes, before\n/// compression.\nsize: u8,\n// fine\nx: u8,\n";
        let found = check("a.rs", source);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("a.rs:1:") && found[1].starts_with("a.rs:3:"));
    }

    #[test]
    fn public_items_are_documented_and_their_fields_need_not_be() {
        let undocumented = [
            "pub fn a() {}",
            "#[must_use]\npub async fn a() {}",
            "pub struct A { pub b: u8 }",
            "pub enum A { B }",
            "pub const A: u8 = 0;",
            "pub static A: u8 = 0;",
            "pub type A = u8;",
            "/// Something that has a b.\npub trait A { fn b(); }",
            "impl A { pub fn b() {} }",
            "pub mod a { pub fn b() {} }",
        ];
        for source in undocumented {
            assert_eq!(check("a.rs", source).len(), 1, "{source}");
            assert_eq!(check("crates/a/tests/it/b.rs", source).len(), 0, "{source}");
        }
        let fine = [
            "/// Returns what it has.\n#[must_use]\npub fn a() {}",
            "/// One of them all.\npub struct A { pub b: u8 }",
            "/// One of them all.\npub enum A { B }",
            "pub(crate) fn a() {}",
            "impl Display for A { fn fmt() {} }",
            "mod a { pub fn b() {} }",
            "struct A<'a>(&'a u8);\nimpl<'a> A<'a> { pub fn b() {} }",
            "pub use a::b;",
            "pub mod a;",
        ];
        for source in fine {
            assert_eq!(check("a.rs", source).len(), 0, "{source}");
        }
    }
}
