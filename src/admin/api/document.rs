//! The OpenAPI document: what is common to all its paths.

use super::Problem;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, Response, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

/// Before the paths.
pub(super) fn start() -> OpenApi {
    let description = "What a tollgate keeps of payment callbacks, and what can be done about them. Every time is RFC 3339 in \
                       UTC, every amount whole fen. Errors are problem documents (RFC 9457).";
    let info = InfoBuilder::new()
        .title("tollgate")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description))
        .license(Some(utoipa::openapi::License::new("Apache-2.0")));
    let mut components = Components::new();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token of `admin.token`."));
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    let session = ApiKeyValue::with_description(
        "tollgate_session",
        "What `POST /login` gives; over TLS `__Host-tollgate_session`.",
    );
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    let none: [&str; 0] = [];
    OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components))
        .security(Some([SecurityRequirement::new("token", none), SecurityRequirement::new("session", none)]))
        .build()
}

/// With the answers that every path can give, as text.
pub(super) fn finish(mut api: OpenApi) -> String {
    for path in api.paths.paths.values_mut() {
        for (operation, changes) in [(&mut path.get, false), (&mut path.post, true)] {
            if let Some(operation) = operation {
                complete(operation, changes);
            }
        }
    }
    api.to_json().unwrap_or_default()
}

fn complete(operation: &mut Operation, changes: bool) {
    let has_parameters = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    let mut answers = vec![
        ("401", "No token and no session, or wrong ones."),
        ("421", "Not under a name of this listener (`admin.hosts`)."),
        ("429", "Too many wrong tokens came from this address."),
        ("503", "What is needed for it cannot be read or written at the moment."),
    ];
    // Even where there are none: an unknown parameter is refused.
    answers.push((
        "400",
        if has_parameters { "A parameter is unknown or makes no sense." } else { "A parameter is unknown." },
    ));
    if changes {
        answers.push(("403", "It would change something and comes from another origin's page."));
    }
    for (status, description) in answers {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| problem(status, description).into());
    }
}

fn problem(status: &str, description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let answer = ResponseBuilder::new().description(description).content("application/problem+json", content);
    let header = |name: &str, description: &str| {
        let header = HeaderBuilder::new().schema(Some(String::schema())).description(Some(description)).build();
        (name.to_owned(), header)
    };
    let header = match status {
        "401" => Some(header("WWW-Authenticate", "`Bearer`")),
        "429" => Some(header("Retry-After", "Seconds")),
        _ => None,
    };
    match header {
        Some((name, header)) => answer.header(name, header).build(),
        None => answer.build(),
    }
}
