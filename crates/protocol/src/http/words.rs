//! Members that are one of the model's words. The API's document describes each kind of word once, by what the
//! model says about it.

use std::borrow::Cow;

use ctxpin_model::delivery;
use ctxpin_model::evidence;
use ctxpin_model::mode;
use ctxpin_model::policy;
use ctxpin_model::tools_mode;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Defines a name for the schema of a kind of word.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident of $model:ty),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let description = format!("{}.", <$model>::explained());
                let text = ObjectBuilder::new().schema_type(Type::String);
                text.description(Some(description)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+};
}

words! {
    /// The schema of a [`mode::Mode`].
    Mode of mode::Mode,
    /// The schema of a [`policy::Policy`].
    Policy of policy::Policy,
    /// The schema of a [`tools_mode::ToolsMode`].
    ToolsMode of tools_mode::ToolsMode,
    /// The schema of a [`delivery::Delivery`].
    Delivery of delivery::Delivery,
    /// The schema of an [`evidence::Source`].
    EvidenceSource of evidence::Source,
    /// The schema of an [`evidence::Witness`].
    Witness of evidence::Witness,
    /// The schema of an [`evidence::Verdict`].
    Verdict of evidence::Verdict,
    /// The schema of an [`evidence::Gap`].
    Gap of evidence::Gap,
    /// The schema of an [`evidence::Outcome`].
    Outcome of evidence::Outcome,
}
