//! hyper over anyrt's streams: hyper-util's `TokioIo` accepts them, because they have Tokio's I/O
//! traits.

use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, client, server};
use hyper_util::rt::TokioIo;

use crate::{Result, pair};

/// Replaces hyper-util's `TokioExecutor`, which spawns on a Tokio runtime.
#[derive(Clone)]
struct Spawn;

impl<F> Executor<F> for Spawn
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

async fn shout(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes().to_ascii_uppercase(),
        Err(error) => error.to_string().into(),
    };
    let answer = format!("{path}: {}", String::from_utf8_lossy(&body));
    Ok(Response::new(Full::new(answer.into())))
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_is_served_and_asked() -> Result {
    let (client, server) = pair().await?;
    let serving = tokio::spawn(
        server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), service_fn(shout)),
    );
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(client)).await?;
    let connection = tokio::spawn(connection);
    for body in ["one".to_owned(), "x".repeat(200_000)] {
        sender.ready().await?;
        let request = Request::post("/path").header("host", "test");
        let response = sender
            .send_request(request.body(Full::<Bytes>::from(body.clone()))?)
            .await?;
        assert_eq!(response.status(), StatusCode::OK);
        let answer = response.into_body().collect().await?.to_bytes();
        assert_eq!(answer, format!("/path: {}", body.to_uppercase()));
    }
    drop(sender);
    connection.await??;
    serving.await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_multiplexed_by_an_executor_of_ours() -> Result {
    let (client, server) = pair().await?;
    let serving = tokio::spawn(
        server::conn::http2::Builder::new(Spawn)
            .serve_connection(TokioIo::new(server), service_fn(shout)),
    );
    let (sender, connection) = client::conn::http2::handshake(Spawn, TokioIo::new(client)).await?;
    let connection = tokio::spawn(connection);
    let requests: Vec<_> = (0..10)
        .map(|n| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let body = "y".repeat(n * 10_000);
                let request = Request::post(format!("http://test/{n}"));
                let response = sender
                    .send_request(request.body(Full::<Bytes>::from(body.clone()))?)
                    .await?;
                let answer = response.into_body().collect().await?.to_bytes();
                assert_eq!(answer, format!("/{n}: {}", body.to_uppercase()));
                Result::<()>::Ok(())
            })
        })
        .collect();
    for request in requests {
        request.await??;
    }
    drop(sender);
    connection.await??;
    serving.await??;
    Ok(())
}
