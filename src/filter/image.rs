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

/// The familiar name: without tag, digest and the registry and namespace that Docker implies. A text that is not an image
/// reference is left as it is, as moby's `stripTag` does.
fn strip_tag(image: &str) -> &str {
    let hex_id = image.len() == 64 && image.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    if image.is_empty() || hex_id {
        return image;
    }
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let path = name.rfind('/').map_or(0, |slash| slash + 1);
    let name = match name.get(path..).and_then(|last| last.find(':')) {
        Some(colon) => name.get(..path + colon).unwrap_or(name),
        None => name,
    };
    let (domain, rest) = name.split_once('/').unwrap_or(("", name));
    let has_domain = domain.contains(['.', ':']) || domain == "localhost";
    let repository = if has_domain { rest } else { name };
    if repository.is_empty() || !repository.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"/._-".contains(&b)) {
        return image;
    }
    let docker_hub = name.strip_prefix("docker.io/").or_else(|| name.strip_prefix("index.docker.io/"));
    match docker_hub {
        Some(rest) => rest.strip_prefix("library/").unwrap_or(rest),
        None => name.strip_prefix("library/").unwrap_or(name),
    }
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
            ("team/app@sha256:d2d4", "team/app"),
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
