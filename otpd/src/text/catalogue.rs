//! The catalogues, as they are compiled in.

use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

use super::{Language, Message, message::Value};

type Bundle = FluentBundle<FluentResource>;

/// The source of a language's catalogue.
pub(super) const fn source(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("en.ftl"),
        Language::German => include_str!("de.ftl"),
        Language::French => include_str!("fr.ftl"),
        Language::Spanish => include_str!("es.ftl"),
    }
}

/// Reads a catalogue; what is wrong with it is for the tests.
pub(super) fn read(source: &str, language: Language) -> Result<Bundle, String> {
    let resource = FluentResource::try_new(source.to_owned())
        .map_err(|(_, errors)| format!("{}.ftl: {errors:?}", language.name()))?;
    let name = language.name().parse().map_err(|error| format!("{error}"))?;
    let mut bundle = Bundle::new_concurrent(vec![name]);
    // No marks around values: a terminal has nothing to do with them.
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).map_err(|errors| format!("{errors:?}"))?;
    Ok(bundle)
}

/// The text of a message, values and all. Where a catalogue lacks it, which the tests do not let
/// happen, the text is English, and the message's name where that lacks it as well.
pub(super) fn text(language: Language, message: Message<'_>) -> String {
    static BUNDLES: LazyLock<Vec<(Language, Bundle)>> = LazyLock::new(|| {
        let all = Language::ALL.iter().map(|(_, language)| *language);
        all.filter_map(|one| Some((one, read(source(one), one).ok()?))).collect()
    });
    let of = |wanted| BUNDLES.iter().find(|(one, _)| *one == wanted).map(|(_, bundle)| bundle);
    [of(language), of(Language::English)]
        .into_iter()
        .flatten()
        .find_map(|bundle| format(bundle, message).ok())
        .unwrap_or_else(|| message.parts().0.to_owned())
}

/// The text of a message in one catalogue.
pub(super) fn format(bundle: &Bundle, message: Message<'_>) -> Result<String, String> {
    let (name, values) = message.parts();
    let args: FluentArgs<'_> = values
        .into_iter()
        .map(|(key, value)| match value {
            Value::Text(text) => (key, FluentValue::from(text)),
            Value::Number(number) => (key, FluentValue::from(number)),
        })
        .collect();
    let missing = || format!("{name} is missing");
    let pattern = bundle.get_message(name).and_then(|found| found.value()).ok_or_else(missing)?;
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned();
    if errors.is_empty() { Ok(text) } else { Err(format!("{name}: {errors:?}")) }
}
