//! URLs of Redis as they may be shown to people: without passwords.

use super::target::{MASK, Target};

/// A URL as it was given, but with `***` for its passwords, which no setting takes for one. What is no URL of Redis is
/// shown as it is only if it can't have a password.
///
/// ```
/// use ws_mio_server::backplane::redis::masked;
/// assert_eq!(masked("redis://me:secret@host/1"), "redis://me:***@host/1");
/// ```
#[must_use]
pub fn masked(url: &str) -> String {
    if url.parse::<Target>().is_ok() {
        return known(url).unwrap_or_else(|| MASK.to_owned());
    }
    // A password may have been given as it is, with whatever it has of `:`, `/`, `?` and `@`.
    if !url.contains('@') && !url.contains("password") {
        return url.to_owned();
    }
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    match scheme.filter(|scheme| scheme.starts_with("redis") && !scheme.contains(['@', ':'])) {
        Some(scheme) => format!("{scheme}://{MASK}"),
        None => MASK.to_owned(),
    }
}

/// The same of one that can be read: it is cut as there.
fn known(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(r, q)| (r, Some(q)));
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(a, p)| (a, Some(p)));
    let mut text = format!("{scheme}://");
    match authority.rsplit_once('@') {
        None => text.push_str(authority),
        Some((credentials, hosts)) => {
            let (user, password) = credentials.split_once(':')?;
            let password = if password.is_empty() { "" } else { MASK };
            text.extend([user, ":", password, "@", hosts]);
        }
    }
    text.extend(path.into_iter().flat_map(|path| ["/", path]));
    for (number, parameter) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        text.push(if number == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name @ "sentinel-password", _)) => text.extend([name, "=", MASK]),
            _ => text.push_str(parameter),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::masked;
    use crate::backplane::redis::{Target, TargetError};
    use proptest::prelude::*;

    #[test]
    fn passwords_are_not_shown_and_all_else_is() {
        for (url, shown) in [
            ("redis://h", "redis://h"),
            ("redis://h:1/2", "redis://h:1/2"),
            ("redis://:secret@h", "redis://:***@h"),
            ("rediss://me:s:e@cret@[::1]:7000/3?ca=/a", "rediss://me:***@[::1]:7000/3?ca=/a"),
            (
                "redis+sentinel://:secret@a,b:1/2?master=m&sentinel-password=secret",
                "redis+sentinel://:***@a,b:1/2?master=m&sentinel-password=***",
            ),
            ("redis://me:@h?", "redis://me:@h?"),
            ("redis://:@h?password-file=/run/pw", "redis://:@h?password-file=/run/pw"),
            // These are none.
            ("redis://a b", "redis://a b"),
            ("redis://:sec/ret@h", "redis://***"),
            ("redis://secret@h", "redis://***"),
            ("redis+sentinel://a?sentinel-password=secret", "redis+sentinel://***"),
            ("secret@redis://h", "***"),
            ("me:secret@h", "***"),
            ("", ""),
        ] {
            assert_eq!(masked(url), shown, "{url}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_the_same_or_refused(
            user in "[a-z]{0,2}", password in "[a-z*%:2A]{0,4}",
            rest in "(h|h:1|a,b)(/1)?([?](ca=f|master=m|sentinel-password=x(&master=m)?|password-file=f))?",
            scheme in "rediss?([+](sentinel|cluster))?", has in any::<bool>(),
        ) {
            let at = if has { format!("{user}:{password}@") } else { String::new() };
            let url = format!("{scheme}://{at}{rest}");
            let Ok(target) = url.parse::<Target>() else { return Ok(()) };
            let shown = masked(&url);
            match shown == url {
                true => prop_assert!(!has || password.is_empty()),
                false => prop_assert_eq!(shown.parse::<Target>(), Err(TargetError::Masked)),
            }
            prop_assert_eq!(target.to_string().contains(":6379"), !url.contains(":1") && !scheme.contains("sentinel"));
        }
    }
}
