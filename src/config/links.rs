//! `[[link]]`: other programs to which the page leads, at a container and a time. Only the configuration file
//! may hold them, so that nobody but its owner decides where readers are led.

use super::ConfigError;
use crate::server::Link;

/// So many may be offered.
const MAX_LINKS: usize = 8;
/// Bytes of a name: it is the text of a button.
const MAX_NAME_BYTES: usize = 32;
/// Bytes of an address.
const MAX_URL_BYTES: usize = 2048;

/// One `[[link]]`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LinkTable {
    name: String,
    url: String,
}

/// The links, checked.
pub(super) fn check(tables: &[LinkTable]) -> Result<Vec<Link>, ConfigError> {
    let refuse = |place: String, value: &str, accepted| Err(ConfigError::BadValue { place, value: value.to_owned(), accepted });
    if tables.len() > MAX_LINKS {
        return refuse("[[link]]".to_owned(), &tables.len().to_string(), "8 of them or fewer");
    }
    let mut links: Vec<Link> = Vec::new();
    for LinkTable { name, url } in tables {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || links.iter().any(|link| link.name == *name) {
            return refuse(format!("[[link]] {name:?}, name"), name, "a name of up to 32 bytes that no other link has");
        }
        if url.len() > MAX_URL_BYTES || !(url.starts_with("https://") || url.starts_with("http://")) {
            return refuse(format!("[[link]] {name:?}, url"), url, "an address such as https://dozzle.example/container/{id}");
        }
        links.push(Link { name: name.clone(), url: url.clone() });
    }
    Ok(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Result<Vec<Link>, String> {
        let layer: crate::config::Layer = toml::from_str(text).map_err(|e| e.to_string())?;
        check(&layer.link).map_err(|e| e.to_string())
    }

    #[test]
    fn what_a_file_says_of_links() {
        let found = links("[[link]]\nname = \"Dozzle\"\nurl = \"https://dozzle.example/container/{id}\"\n").unwrap();
        assert_eq!(found, [Link { name: "Dozzle".to_owned(), url: "https://dozzle.example/container/{id}".to_owned() }]);
        assert_eq!(links("").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_with_them_is_said() {
        for (more, part) in [
            ("url = \"javascript:alert(1)\"", "an address such as"),
            ("url = \"https://x\"\n[[link]]\nname = \"a\"\nurl = \"https://y\"", "that no other link has"),
            ("url = \"https://x\"\ncolour = 1", "unknown field `colour`"),
        ] {
            let error = links(&format!("[[link]]\nname = \"a\"\n{more}")).unwrap_err();
            assert!(error.contains(part), "{more}: {error}");
        }
        let many: Vec<String> = (0..=MAX_LINKS).map(|n| format!("[[link]]\nname = \"{n}\"\nurl = \"https://x\"\n")).collect();
        assert!(links(&many.concat()).unwrap_err().contains("8 of them or fewer"));
    }

    #[test]
    fn names_and_addresses_have_bounds() {
        let of = |name: usize, url: usize| {
            links(&format!("[[link]]\nname = \"{}\"\nurl = \"https://{}\"\n", "n".repeat(name), "u".repeat(url - "https://".len())))
        };
        assert_eq!(of(MAX_NAME_BYTES, MAX_URL_BYTES).unwrap().len(), 1);
        assert!(of(MAX_NAME_BYTES + 1, MAX_URL_BYTES).is_err());
        assert!(of(MAX_NAME_BYTES, MAX_URL_BYTES + 1).is_err());
    }
}
