//! Generates the gRPC client and server of the stock, without `protoc`.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let take = Method::builder()
        .name("take")
        .route_name("Take")
        .input_type("crate::stock::TakeRequest")
        .output_type("crate::stock::TakeReply")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    let stock = Service::builder()
        .name("Stock")
        .package("shop")
        .method(take)
        .build();
    Builder::new().compile(&[stock]);
}
