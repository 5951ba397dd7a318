//! Query parameters: strict, so that a typo is told instead of ignored.

use super::problem::ApiError;
use crate::filter::Filter;
use crate::time::Timestamp;

/// The query parameters of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Parses a query string. Each parameter must be one of `known` and stand once; names that begin with `_` are
    /// let through for cache busters.
    pub(super) fn parse(query: &str, known: &[&str]) -> Result<Self, ApiError> {
        let mut params: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name.starts_with('_') {
                continue;
            }
            if !known.contains(&name.as_ref()) {
                let name: String = name.chars().take(64).collect();
                return Err(ApiError::bad_request(format!("unknown parameter {name:?}; this route takes {}", known.join(", "))));
            }
            if params.iter().any(|(n, _)| *n == name) {
                return Err(ApiError::bad_request(format!("the parameter {name} is given twice")));
            }
            params.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(params))
    }

    /// The value of `name`; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// A time.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let parse = |text| Timestamp::parse(text, Timestamp::now()).map_err(|e| ApiError::bad_request(format!("{name}: {e}")));
        self.get(name).map(parse).transpose()
    }

    /// `since` and `until` as an inclusive range, open where absent.
    pub(super) fn time_range(&self) -> Result<std::ops::RangeInclusive<Timestamp>, ApiError> {
        let since = match self.get("since") {
            Some("oldest") | None => Timestamp::MIN,
            Some(_) => self.time("since")?.unwrap_or(Timestamp::MIN),
        };
        let until = self.time("until")?.unwrap_or(Timestamp::MAX);
        if since > until {
            return Err(ApiError::bad_request(format!("since ({since}) lies after until ({until})")));
        }
        Ok(since..=until)
    }

    /// `filters` and `exclude`.
    pub(super) fn filter(&self) -> Result<Filter, ApiError> {
        Filter::from_params(self.get("filters"), self.get("exclude")).map_err(ApiError::bad_request)
    }

    /// The query string of the page that `token` names.
    pub(super) fn for_page(&self, token: &str) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (n, v) in self.0.iter().filter(|(n, _)| n != "cursor" && n != "after" && n != "before") {
            out.append_pair(n, v);
        }
        out.append_pair("cursor", token).finish()
    }
}
