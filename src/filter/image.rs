//! The names under which the `image` filter knows an event's image.

use super::Subject;
use std::borrow::Cow;

/// Docker compares against the actor's id and the image name, each with and without tag (moby `matchImage`).
pub(super) fn names<'a>(subject: &'a Subject<'_>) -> [Cow<'a, str>; 4] {
    let attribute = if subject.kind() == "image" { "name" } else { "image" };
    let name = subject.event.attribute(attribute).unwrap_or("");
    let id = subject.actor_id();
    [id.into(), name.into(), strip_tag(id).into(), strip_tag(name).into()]
}

/// The familiar name: without tag, digest and the registry and namespace that Docker implies. A text that is
/// no reference to an image is left as it is, as moby's `stripTag` does.
fn strip_tag(image: &str) -> &str {
    familiar_name(image).unwrap_or(image)
}

/// The rules of `github.com/distribution/reference`: `ParseNormalizedNamed`, then `FamiliarName`.
fn familiar_name(image: &str) -> Option<&str> {
    if image.len() == 64 && image.bytes().all(is_hex) {
        return None;
    }
    let is_domain = |text: &str| text.contains(['.', ':']) || text == "localhost" || text.bytes().any(|b| b.is_ascii_uppercase());
    let (domain, remainder) = image.split_once('/').filter(|(first, _)| is_domain(first)).map_or((None, image), |(d, r)| (Some(d), r));
    let (name, digest) = remainder.split_once('@').map_or((remainder, None), |(name, digest)| (name, Some(digest)));
    let (path, tag) = name.split_once(':').map_or((name, None), |(path, tag)| (path, Some(tag)));
    let valid = path.split('/').all(is_path_component) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
    if !valid || image.len() > MAX_NAME_BYTES + tag.map_or(0, |t| t.len() + 1) + digest.map_or(0, |d| d.len() + 1) {
        return None;
    }
    match domain {
        None | Some("docker.io" | "index.docker.io") => {
            Some(path.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(path))
        }
        Some(domain) if is_host(domain) || is_path_component(domain) => image.get(..domain.len() + 1 + path.len()),
        Some(_) => None,
    }
}

/// Longest name, without tag and digest.
const MAX_NAME_BYTES: usize = 255;

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// Small letters and digits, with one of `.`, `_`, `__` or any number of `-` between them.
fn is_path_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = text.starts_with(word) && text.ends_with(word);
    ends && text.split(word).all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128 && text.bytes().next().is_some_and(word) && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// Of the algorithms that Docker knows.
fn is_digest(text: &str) -> bool {
    let known = [("sha256:", 64), ("sha384:", 96), ("sha512:", 128)];
    known.iter().any(|(name, digits)| text.strip_prefix(name).is_some_and(|hex| hex.len() == *digits && hex.bytes().all(is_hex)))
}

/// A host name or an IPv6 address in brackets, with or without port.
fn is_host(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let hex = !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
        return hex && (port.is_empty() || port.strip_prefix(':').is_some_and(digits));
    }
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let label = |label: &str| {
        let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    port.is_none_or(digits) && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::strip_tag;

    #[test]
    fn strips_as_docker_does() {
        for (image, familiar) in [
            ("nginx:1.27", "nginx"),
            ("nginx", "nginx"),
            ("docker.io/library/nginx:1", "nginx"),
            ("registry.example.com:5000/team/app:2026.11", "registry.example.com:5000/team/app"),
            ("localhost:5000/app", "localhost:5000/app"),
            ("team/app@sha256:d2d4", "team/app@sha256:d2d4"),
            ("team/app:1@sha256:d2d4ba37947d76ca49537fb242f81576af28b115adf5039ff360148708baf5e1", "team/app"),
            (
                "team/app@sha999:d2d4ba37947d76ca49537fb242f81576af28b115adf5039ff360148708baf5e1",
                "team/app@sha999:d2d4ba37947d76ca49537fb242f81576af28b115adf5039ff360148708baf5e1",
            ),
            ("library/nginx:1", "nginx"),
            ("library/team/app:1", "library/team/app"),
            ("index.docker.io/team/app:1", "team/app"),
            ("localhost/app:1", "localhost/app"),
            ("Host/app:1", "Host/app"),
            ("[::1]:5000/app:1", "[::1]:5000/app"),
            ("a_b.c/d:1", "a_b.c/d"),
            ("a__b--c.d/e:1", "a__b--c.d/e"),
            ("a___b:1", "a___b:1"),
            ("-a:1", "-a:1"),
            ("a//b:1", "a//b:1"),
            ("a:", "a:"),
            ("a:-1", "a:-1"),
            ("Nginx:1", "Nginx:1"),
            ("sha256:d2d4ba37", "sha256"),
            ("Not An Image:x", "Not An Image:x"),
            ("", ""),
        ] {
            assert_eq!(strip_tag(image), familiar, "{image}");
        }
        let id = "d2d4ba37947d76ca49537fb242f81576af28b115adf5039ff360148708baf5e1";
        assert_eq!(strip_tag(id), id);
    }
}
