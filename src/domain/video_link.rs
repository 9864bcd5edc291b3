//! The address of a video at TikTok, as people copy it from there. A pure function; it opens nothing.

use url::Url;

/// A video, and the address that shows it to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoLink {
    /// TikTok's id.
    pub id: String,
    /// The address without what TikTok appends to follow its readers.
    pub url: Option<String>,
}

/// Why a text is no address of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLink {
    /// A short address says nothing until it is opened, and addresses of others are not opened here.
    #[error(
        "is a short link, which does not show the video's id; open it and copy the address that the browser then shows"
    )]
    Short,
    /// It is something else.
    #[error("must look like https://www.tiktok.com/@name/video/7412345678901234567")]
    Other,
}

/// Reads `https://www.tiktok.com/@name/video/ID`, or `photo` instead of `video`.
pub fn parse(text: &str) -> Result<VideoLink, NoLink> {
    let url = Url::parse(text.trim()).map_err(|_| NoLink::Other)?;
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "https" {
        return Err(NoLink::Other);
    }
    if matches!(host, "vm.tiktok.com" | "vt.tiktok.com") || url.path().starts_with("/t/") {
        return Err(NoLink::Short);
    }
    if !matches!(host, "www.tiktok.com" | "tiktok.com" | "m.tiktok.com") {
        return Err(NoLink::Other);
    }
    let parts: Vec<&str> = url.path().trim_matches('/').split('/').collect();
    let [name, kind @ ("video" | "photo"), id] = parts[..] else {
        return Err(NoLink::Other);
    };
    let id = tiktok::PostId::parse(id).map_err(|_| NoLink::Other)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name.strip_prefix('@') {
        Some(handle) if !handle.is_empty() && handle.chars().all(plain) => Ok(VideoLink {
            url: Some(format!("https://www.tiktok.com/@{handle}/{kind}/{id}")),
            id: id.to_string(),
        }),
        _ => Err(NoLink::Other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_as_people_copy_them() {
        let plain = "https://www.tiktok.com/@ada.l_1/video/7412345678901234567";
        for text in [
            plain,
            "https://tiktok.com/@ada.l_1/video/7412345678901234567/",
            " https://m.tiktok.com/@ada.l_1/video/7412345678901234567?utm_source=x&_r=1#y",
        ] {
            let link = parse(text).unwrap();
            assert_eq!(link.id, "7412345678901234567");
            assert_eq!(link.url.as_deref(), Some(plain));
        }
        let photo = parse("https://www.tiktok.com/@a/photo/7").unwrap();
        assert_eq!(
            photo.url.as_deref(),
            Some("https://www.tiktok.com/@a/photo/7")
        );
    }

    #[test]
    fn what_shows_no_video_says_what_to_do() {
        for text in [
            "https://vm.tiktok.com/ZMabc/",
            "https://www.tiktok.com/t/ZTabc/",
        ] {
            assert_eq!(parse(text), Err(NoLink::Short), "{text}");
        }
        for text in [
            "",
            "7412345678901234567",
            "http://www.tiktok.com/@a/video/7",
            "https://www.tiktok.com.evil.example/@a/video/7",
            "https://evil.example/@a/video/7",
            "https://www.tiktok.com/@a/video/7x",
            "https://www.tiktok.com/@a/video/",
            "https://www.tiktok.com/@/video/7",
            "https://www.tiktok.com/a/video/7",
            "https://www.tiktok.com/@a/live",
        ] {
            assert_eq!(parse(text), Err(NoLink::Other), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
