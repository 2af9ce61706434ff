//! Values with a text form parse what they display: hashes, ids, words, tokens, sources.

use ctxpin_model::hash::{BlobHash, ContextHash, SnapshotId, ToolsHash};
use ctxpin_model::limits::SOURCE_BYTES_MAX;
use ctxpin_model::resource::{Kind, ResourceId, Status, fit_source};
use ctxpin_model::token::Token;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_hash_reads_back(bytes in any::<[u8; 32]>()) {
        let text = BlobHash::from(bytes).to_string();
        prop_assert_eq!(text.parse(), Ok(BlobHash::from(bytes)));
        prop_assert_eq!(text.parse(), Ok(SnapshotId::from(bytes)));
        prop_assert_eq!(text.parse(), Ok(ContextHash::from(bytes)));
        prop_assert_eq!(text.parse(), Ok(ToolsHash::from(bytes)));
    }

    #[test]
    fn a_hash_has_one_spelling(text in "(sha256:)?[0-9a-fA-Fg]{62,66}|.{0,80}") {
        if let Ok(hash) = text.parse::<BlobHash>() {
            prop_assert_eq!(hash.to_string(), text);
        }
    }

    #[test]
    fn a_token_reads_back(id in any::<u128>(), secret in any::<[u8; 32]>()) {
        let token = Token::new(uuid::Uuid::from_u128(id).into(), secret);
        let read: Token = token.reveal().parse().unwrap();
        prop_assert_eq!(read.credential(), token.credential());
        prop_assert_eq!(read, token);
    }

    #[test]
    fn no_text_breaks_a_token(text in "ctxpin_[0-9a-f_]{0,110}|.{0,120}") {
        let _ = text.parse::<Token>();
    }

    #[test]
    fn a_resource_id_reads_back(source in any::<String>()) {
        for kind in Kind::ALL {
            let id = ResourceId::of(*kind, &source);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn a_word_is_known_by_its_one_spelling(word in "[a-z_]{0,20}") {
        prop_assert_eq!(word.parse::<Status>().is_ok(), Status::ALL.iter().any(|s| s.as_str() == word));
        prop_assert_eq!(word.parse::<Kind>().is_ok(), Kind::ALL.iter().any(|k| k.as_str() == word));
    }

    #[test]
    fn a_source_that_was_fitted_fits(source in ".{0,700}", other in ".{0,700}") {
        let fitted = fit_source(&source);
        prop_assert!(fitted.len() <= SOURCE_BYTES_MAX);
        prop_assert_eq!(fit_source(&fitted), fitted.clone());
        prop_assert_eq!(fitted == fit_source(&other), source == other);
    }
}
