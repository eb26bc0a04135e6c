//! What the pages bring along, compiled in: no other host is ever asked for anything. Each has the hash of its content
//! in its address, so that browsers keep it for good and a new version is a new address.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, Response, StatusCode};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file that is compiled in.
#[derive(Debug)]
pub(super) struct Asset {
    /// Its name in `/assets/`.
    name: &'static str,
    media_type: &'static str,
    content: &'static [u8],
}

/// All of them.
static ASSETS: [Asset; 4] = [
    Asset { name: "page.css", media_type: "text/css; charset=utf-8", content: include_bytes!("assets/page.css") },
    Asset { name: "page.js", media_type: "text/javascript; charset=utf-8", content: include_bytes!("assets/page.js") },
    Asset {
        name: "htmx.min.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_bytes!("assets/htmx/htmx.min.js"),
    },
    Asset { name: "icon.svg", media_type: "image/svg+xml", content: include_bytes!("assets/icon.svg") },
];

/// The hash of each, in the same order.
static VERSIONS: LazyLock<[String; 4]> = LazyLock::new(|| {
    ASSETS.each_ref().map(|asset| hex::encode(Sha256::digest(asset.content)).chars().take(16).collect())
});

/// The address of an asset, as pages name it.
pub(super) fn address(name: &str) -> String {
    let version = ASSETS.iter().zip(VERSIONS.iter()).find(|(asset, _)| asset.name == name).map(|(_, version)| version);
    format!("/assets/{name}?v={}", version.map_or("", String::as_str))
}

/// An asset, if there is one of this name: kept for good if its version was asked for.
pub(super) fn serve(name: &str, version: Option<&str>, headers: &HeaderMap) -> Option<Response<Full<Bytes>>> {
    let (asset, current) = ASSETS.iter().zip(VERSIONS.iter()).find(|(asset, _)| asset.name == name)?;
    let tag = HeaderValue::try_from(format!("\"{current}\"")).ok()?;
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| known == tag);
    let body = if is_known { Bytes::new() } else { Bytes::from_static(asset.content) };
    let mut response = Response::new(Full::new(body));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    }
    let kept = if version == Some(current.as_str()) { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    response.headers_mut().insert(ETAG, tag);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_kept_under_its_version_only() {
        let address = address("page.css");
        let version = address.strip_prefix("/assets/page.css?v=").unwrap();
        assert_eq!(version.len(), 16);
        let now = serve("page.css", Some(version), &HeaderMap::new()).unwrap();
        assert_eq!(now.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        let other = serve("page.css", Some("0"), &HeaderMap::new()).unwrap();
        assert_eq!(other.headers()[CACHE_CONTROL], "no-cache");
        let mut knows = HeaderMap::new();
        knows.insert(IF_NONE_MATCH, now.headers()[ETAG].clone());
        assert_eq!(serve("page.css", None, &knows).unwrap().status(), StatusCode::NOT_MODIFIED);
        assert!(serve("../page.rs", None, &HeaderMap::new()).is_none());
    }

    #[test]
    fn nothing_in_them_names_another_host() {
        for asset in ASSETS.iter().filter(|asset| asset.name.starts_with("page.")) {
            let text = std::str::from_utf8(asset.content).unwrap();
            assert!(!text.contains("://"), "{}", asset.name);
        }
    }
}
