//! From `pointsman.types.Request` to the core's: attribute by attribute, texts lent and not copied.

use pointsman_core::{
    Attachment, Constraints, Conversation, ProviderPreferences, Request, ResponseFormat, Role,
    SortBy,
};
use pyo3::buffer::PyBuffer;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::error::{invalid, of_field};
use crate::excerpt::excerpt;
use crate::value::{
    Text, collect, get, items, lookup, optional_text, optional_texts, text, text_at, texts,
    type_name,
};

macro_rules! field {
    ($object:expr, $name:literal, $remedy:literal) => {
        $object
            .getattr(intern!($object.py(), $name))?
            .extract()
            .map_err(of_field($name, $remedy))?
    };
}

/// The request of that place in a list; errors name the place.
pub(crate) fn extract_at(request: &Bound<'_, PyAny>, index: usize) -> PyResult<Request<Text>> {
    let named = |error| {
        let other = no_request(request, &format!("requests[{index}]"));
        other.unwrap_or_else(|| crate::error::within(request.py(), error, index))
    };
    read(request).map_err(named)
}

pub(crate) fn extract(request: &Bound<'_, PyAny>) -> PyResult<Request<Text>> {
    read(request).map_err(|error| no_request(request, "request").unwrap_or(error))
}

/// The error of an object that is no request at all.
fn no_request(object: &Bound<'_, PyAny>, path: &str) -> Option<PyErr> {
    let is_one = object
        .hasattr(intern!(object.py(), "messages"))
        .unwrap_or(true);
    (!is_one).then(|| invalid(path, type_name(object), "give a pointsman.types.Request"))
}

fn read(request: &Bound<'_, PyAny>) -> PyResult<Request<Text>> {
    let py = request.py();
    let get = |name| request.getattr(name);
    let mut schema_texts = Vec::new();
    let tools = get(intern!(py, "tools"))?;
    let n_tools = if tools.is_none() {
        0
    } else {
        tools
            .len()
            .map_err(of_field("tools", "give a list of tools"))?
    };
    if n_tools > 0 {
        collect(&tools, "tools", &mut schema_texts, 0)?;
    }
    let format = get(intern!(py, "response_format"))?;
    let response_format = response_format(&format, &mut schema_texts)?;
    let allowed_models = get(intern!(py, "allowed_models"))?;
    let permitted_models = get(intern!(py, "permitted_models"))?;
    let service_tier = get(intern!(py, "service_tier"))?;
    let (constraints, session_id) = constraints(&get(intern!(py, "constraints"))?)?;
    Ok(Request {
        conversation: conversation(&get(intern!(py, "messages"))?, session_id.is_some())?,
        n_tools: u32::try_from(n_tools).unwrap_or(u32::MAX),
        schema_texts,
        response_format,
        max_output_tokens: field!(
            request,
            "max_output_tokens",
            "give a whole number >= 1, or None"
        ),
        n_choices: field!(request, "n_choices", "give a whole number >= 1"),
        is_stream: field!(request, "stream", "give a bool"),
        service_tier: optional_text(&service_tier, "service_tier")?,
        parameters: texts(&get(intern!(py, "parameters"))?, "parameters")?,
        allowed_models: optional_texts(&allowed_models, "allowed_models")?,
        permitted_models: optional_texts(&permitted_models, "permitted_models")?,
        tenant: optional_text(&get(intern!(py, "tenant"))?, "tenant")?,
        session_id,
        policy_version: optional_text(&get(intern!(py, "policy_version"))?, "policy_version")?,
        arm: optional_text(&get(intern!(py, "arm"))?, "arm")?,
        constraints,
        preferences: preferences(&get(intern!(py, "preferences"))?)?,
        vector: vector(&get(intern!(py, "vector"))?)?,
    })
}

/// Any contiguous buffer of f32 with one axis (a numpy array, an `array.array`), read in place.
fn vector(value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<f32>>> {
    const REMEDY: &str = "give a contiguous numpy array of float32 with one axis, or None \
                          (np.ascontiguousarray(v, np.float32))";
    if value.is_none() {
        return Ok(None);
    }
    let Ok(buffer) = PyBuffer::<f32>::get(value) else {
        let got = format!("{}, not of float32", type_name(value));
        return Err(invalid("vector", got, REMEDY));
    };
    // The format's check takes these for native ones (PyO3 0.29).
    if matches!(buffer.format().to_bytes(), [b'>' | b'!', ..]) && cfg!(target_endian = "little") {
        return Err(invalid("vector", "of big-endian float32", REMEDY));
    }
    if buffer.dimensions() != 1 {
        let got = format!("of {} axes", buffer.dimensions());
        return Err(invalid("vector", got, REMEDY));
    }
    let Some(values) = buffer.as_slice(value.py()) else {
        return Err(invalid("vector", "not contiguous", REMEDY));
    };
    Ok(Some(
        values.iter().map(pyo3::buffer::ReadOnlyCell::get).collect(),
    ))
}

/// Whether the object is that constant of `pointsman.types`, which says nothing: most requests have it, and it need not
/// be read attribute by attribute.
fn is_constant(
    object: &Bound<'_, PyAny>,
    constant: &'static PyOnceLock<Py<PyAny>>,
    name: &str,
) -> PyResult<bool> {
    let py = object.py();
    let read = || Ok::<_, PyErr>(py.import("pointsman.types")?.getattr(name)?.unbind());
    Ok(object.is(constant.get_or_try_init(py, read)?))
}

/// The constraints, and the session they name.
fn constraints(object: &Bound<'_, PyAny>) -> PyResult<(Constraints<Text>, Option<Text>)> {
    static NONE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if is_constant(object, &NONE, "NO_CONSTRAINTS")? {
        return Ok((Constraints::default(), None));
    }
    let py = object.py();
    let strategy = text(&object.getattr(intern!(py, "strategy"))?, "strategy")?;
    if !matches!(&*strategy, "auto" | "direct" | "cascade" | "race" | "batch") {
        return Err(invalid(
            "strategy",
            format!("{:?}", &*strategy),
            "give auto, direct, cascade, race or batch",
        ));
    }
    let tolerance: Option<(f64, f64, f64)> = field!(
        object,
        "quality_tolerance",
        "give three numbers for (lookup, generation, reasoning), or None"
    );
    let session_id = object.getattr(intern!(py, "session_id"))?;
    let constraints = Constraints {
        task: optional_text(&object.getattr(intern!(py, "task"))?, "task")?,
        max_cost_usd: field!(object, "max_cost_usd", "give a number, or None"),
        max_latency_ms: field!(object, "max_latency_ms", "give a number, or None"),
        max_ttft_ms: field!(object, "max_ttft_ms", "give a number, or None"),
        min_quality: field!(object, "min_quality", "give a number, or None"),
        quality_like: optional_text(
            &object.getattr(intern!(py, "quality_like"))?,
            "quality_like",
        )?,
        quality_tolerance: tolerance.map(<[f64; 3]>::from),
        within_best: field!(object, "within_best", "give a number, or None"),
        quality_value_usd: field!(object, "quality_value_usd", "give a number, or None"),
        budget_price: field!(object, "budget_price", "give a number, or None"),
        latency_value_usd_per_s: field!(object, "latency_value_usd_per_s", "give a number"),
        deadline_s: field!(object, "deadline_s", "give a number, or None"),
        min_propensity: field!(object, "min_propensity", "give a number"),
        exploration: field!(object, "exploration", "give a bool"),
    };
    Ok((constraints, optional_text(&session_id, "session_id")?))
}

fn preferences(object: &Bound<'_, PyAny>) -> PyResult<ProviderPreferences<Text>> {
    static NONE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if is_constant(object, &NONE, "NO_PREFERENCES")? {
        return Ok(ProviderPreferences::default());
    }
    let py = object.py();
    let get = |name| object.getattr(name);
    let sort = match optional_text(&get(intern!(py, "sort"))?, "provider.sort")?.as_deref() {
        None => None,
        Some("price") => Some(SortBy::Price),
        Some("throughput") => Some(SortBy::Throughput),
        Some("latency") => Some(SortBy::Latency),
        Some(other) => {
            return Err(invalid(
                "provider.sort",
                format!("{other:?}"),
                "give price, throughput, latency or None",
            ));
        }
    };
    let data_collection = text(
        &get(intern!(py, "data_collection"))?,
        "provider.data_collection",
    )?;
    if !matches!(&*data_collection, "allow" | "deny") {
        let got = format!("{:?}", &*data_collection);
        return Err(invalid(
            "provider.data_collection",
            got,
            "give allow or deny",
        ));
    }
    Ok(ProviderPreferences {
        order: texts(&get(intern!(py, "order"))?, "provider.order")?,
        only: optional_texts(&get(intern!(py, "only"))?, "provider.only")?,
        ignore: texts(&get(intern!(py, "ignore"))?, "provider.ignore")?,
        allow_fallbacks: field!(object, "allow_fallbacks", "give a bool"),
        require_parameters: field!(object, "require_parameters", "give a bool"),
        deny_data_collection: &*data_collection == "deny",
        sort,
        max_input_price_usd_per_mtok: field!(
            object,
            "max_input_price_usd_per_mtok",
            "give a number, or None"
        ),
        max_output_price_usd_per_mtok: field!(
            object,
            "max_output_price_usd_per_mtok",
            "give a number, or None"
        ),
    })
}

fn response_format(
    format: &Bound<'_, PyAny>,
    schema_texts: &mut Vec<Text>,
) -> PyResult<ResponseFormat> {
    if format.is_none() {
        return Ok(ResponseFormat::Text);
    }
    let kind = get(format, intern!(format.py(), "type"), "response_format")?;
    let kind = kind
        .map(|kind| text(&kind, "response_format.type"))
        .transpose()?;
    match kind.as_deref() {
        Some("json_object") => Ok(ResponseFormat::JsonObject),
        Some("json_schema") => {
            collect(format, "response_format", schema_texts, 0)?;
            Ok(ResponseFormat::JsonSchema)
        }
        // `text`, and kinds this version does not know: passed on untouched.
        Some(_) => Ok(ResponseFormat::Text),
        None => Err(invalid(
            "response_format.type",
            "missing",
            "give text, json_object or json_schema",
        )),
    }
}

/// The messages; of a session's every byte tells whether its prefix is the one that is warm.
fn conversation(messages: &Bound<'_, PyAny>, is_of_session: bool) -> PyResult<Conversation<Text>> {
    let mut conversation = Conversation::new();
    for (index, message) in items(messages, "messages")?.enumerate() {
        let path = || format!("messages[{index}]");
        add_message(&mut conversation, &message?, is_of_session, &path)?;
    }
    Ok(conversation)
}

fn add_message(
    conversation: &mut Conversation<Text>,
    message: &Bound<'_, PyAny>,
    is_of_session: bool,
    path: &dyn Fn() -> String,
) -> PyResult<()> {
    let py = message.py();
    let at = |name: &str| format!("{}.{name}", path());
    let Some(role) = lookup(message, intern!(py, "role"), path)? else {
        return Err(invalid(at("role"), "missing", &roles()));
    };
    let name = text_at(&role, &|| at("role"))?;
    let role = Role::from_name(&name)
        .ok_or_else(|| invalid(at("role"), format!("{:?}", &*name), &roles()))?;
    conversation.begin(role);
    if let Some(content) =
        lookup(message, intern!(py, "content"), path)?.filter(|content| !content.is_none())
    {
        add_content(conversation, &content, is_of_session, &|| at("content"))?;
    }
    if let Some(calls) =
        lookup(message, intern!(py, "tool_calls"), path)?.filter(|calls| !calls.is_none())
    {
        let mut found = Vec::new();
        collect(&calls, &at("tool_calls"), &mut found, 0)?;
        found.into_iter().for_each(|text| conversation.call(text));
    }
    Ok(())
}

fn roles() -> String {
    format!("give one of {}", Role::NAMES.join(", "))
}

fn add_content(
    conversation: &mut Conversation<Text>,
    content: &Bound<'_, PyAny>,
    is_of_session: bool,
    path: &dyn Fn() -> String,
) -> PyResult<()> {
    if content.is_instance_of::<PyString>() {
        return add_text(conversation, content, is_of_session, path);
    }
    if !content.is_instance_of::<PyList>() && !content.is_instance_of::<PyTuple>() {
        return Err(invalid(
            path(),
            type_name(content),
            "give a string, a list of parts or null",
        ));
    }
    for (index, part) in content.try_iter()?.enumerate() {
        let path = || format!("{}[{index}]", path());
        add_part(conversation, &part?, is_of_session, &path)?;
    }
    Ok(())
}

/// A text, in excerpts if it is very long.
fn add_text(
    conversation: &mut Conversation<Text>,
    content: &Bound<'_, PyAny>,
    is_of_session: bool,
    path: &dyn Fn() -> String,
) -> PyResult<()> {
    let part = match content.cast::<PyString>() {
        Ok(string) if !is_of_session => excerpt(string)?,
        _ => None,
    };
    let Some(part) = part else {
        conversation.text(text_at(content, path)?);
        return Ok(());
    };
    let lent = text_at(part.text.as_any(), path)?;
    let n_elided_bytes = lent.len() as f64 * (part.scale - 1.0);
    conversation.excerpt(lent, n_elided_bytes as u64);
    Ok(())
}

fn add_part(
    conversation: &mut Conversation<Text>,
    part: &Bound<'_, PyAny>,
    is_of_session: bool,
    path: &dyn Fn() -> String,
) -> PyResult<()> {
    let py = part.py();
    let at = |name: &str| format!("{}.{name}", path());
    let kind = lookup(part, intern!(py, "type"), path)?;
    let kind = kind
        .map(|kind| text_at(&kind, &|| at("type")))
        .transpose()?;
    match kind.as_deref() {
        Some("image_url" | "image" | "input_image") => conversation.attach(Attachment::Image),
        Some("input_audio" | "audio") => conversation.attach(Attachment::Audio),
        Some("file" | "input_file" | "document") => conversation.attach(Attachment::File),
        _ => match lookup(part, intern!(py, "text"), path)?.filter(|text| !text.is_none()) {
            Some(text) => add_text(conversation, &text, is_of_session, &|| at("text"))?,
            None if kind.as_deref() == Some("text") => {
                return Err(invalid(
                    at("text"),
                    "missing",
                    "give the part's text as a string",
                ));
            }
            None => conversation.attach(Attachment::Other),
        },
    }
    Ok(())
}
