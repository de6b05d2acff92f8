//! One request out, one whole answer in.

use http::header::HeaderMap;
use url::Url;

use super::error::TransportError;
use crate::core::failure::Reason;

/// An answer of any status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) url: Url,
}

/// Sends one request and reads its answer, but never more of it than `limit` bytes.
pub(super) async fn exchange(
    client: &reqwest::Client,
    method: &http::Method,
    url: &Url,
    headers: &HeaderMap,
    body: Option<Vec<u8>>,
    limit: usize,
) -> Result<Answer, TransportError> {
    let mut request = client.request(method.clone(), url.clone()).headers(headers.clone());
    if let Some(body) = body {
        request = request.body(body);
    }
    let response = request.send().await.map_err(|error| TransportError::from(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: read(response, limit).await?, url: url.clone() })
}

/// The body as it comes out of decompression, so that a small answer cannot become a large one.
async fn read(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, TransportError> {
    let too_large = || TransportError::new(Reason::TooLarge, format!("the answer is over the limit of {limit} bytes"));
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| TransportError::from(&error))? {
        if chunk.len() > limit - body.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
