//! What a setting comes to where its value alone does not say it. For people: no part of the program goes by
//! it.

use super::Settings;

/// Connections that every address may have, if nothing else is said (`server::net::permits`).
const MIN_OF_EACH: u32 = 16;

impl Settings {
    /// What the value of `key` means in effect, where that is not plain from it.
    pub fn remark(&self, key: &str) -> Option<String> {
        let unset = |text: &std::path::Path| text.as_os_str().is_empty().then(|| "not set".to_owned());
        let none = |list: &[String]| list.is_empty().then(|| "none".to_owned());
        match key {
            "data-dir" | "retain-age" | "retain-bytes" if !self.read_only.value.as_os_str().is_empty() => {
                Some("not used with read-only".to_owned())
            }
            "docker-host" if !self.read_only.value.as_os_str().is_empty() => Some("not used with read-only".to_owned()),
            "docker-host" if self.demo.value => Some("not used with demo".to_owned()),
            "read-only" => unset(&self.read_only.value),
            "tls-cert" => unset(&self.tls_cert.value),
            "tls-key" => unset(&self.tls_key.value),
            "token-file" => unset(&self.token_file.value).map(|_| "not set: everyone who reaches the address may read".to_owned()),
            "allow-host" => none(&self.allow_host.value).map(|_| "none besides localhost and IP addresses".to_owned()),
            "cors-origin" => none(&self.cors_origin.value),
            "trusted-proxy" => none(&self.trusted_proxy.value),
            "redact-attribute" => none(&self.redact_attribute.value),
            "last-words" if self.last_words.value == 0 => Some("none".to_owned()),
            "redact-except" => none(&self.redact_except.value),
            "max-connections-per-address" if self.max_connections_per_address.value == 0 => {
                let most = (self.max_connections.value / 4).max(MIN_OF_EACH);
                Some(format!("{most}, a quarter of all but {MIN_OF_EACH} or more, and any number from this machine"))
            }
            "forward" => none(&self.forward.value).map(|_| "none: nothing is forwarded".to_owned()),
            "forward-name" if self.forward_name.value.is_empty() => Some("not set".to_owned()),
            "forward-nkey" => unset(&self.forward_nkey.value),
            "forward-creds" => unset(&self.forward_creds.value),
            "forward-tls-ca" => unset(&self.forward_tls_ca.value),
            "forward-tls-cert" => unset(&self.forward_tls_cert.value),
            "forward-tls-key" => unset(&self.forward_tls_key.value),
            _ => None,
        }
    }
}
