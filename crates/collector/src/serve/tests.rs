use axum::routing::get;
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::connections::Counts;
use super::*;

/// Starts a server with a short and an endless answer. Returns its address and its connections.
async fn server(tasks: &mut JoinSet<()>) -> (SocketAddr, Arc<Connections>, CancellationToken) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let endless = || async {
        let pieces = futures::stream::repeat_with(|| Ok::<_, Infallible>("piece ".repeat(1000)));
        Body::from_stream(pieces)
    };
    let router = Router::new()
        .route("/short", get(|| async { "short" }))
        .route("/endless", get(endless));
    let (connections, stopping) = (Arc::<Connections>::default(), CancellationToken::new());
    tasks.spawn(serve(socket, router, connections.clone(), stopping.clone()));
    (address, connections, stopping)
}

/// Returns a client that has sent this, with the server's connections.
async fn client(sent: &str, tasks: &mut JoinSet<()>) -> (TcpStream, Arc<Connections>) {
    let (address, connections, stopping) = server(tasks).await;
    // The token is never cancelled.
    tasks.spawn(stopping.cancelled_owned());
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(sent.as_bytes()).await.unwrap();
    (client, connections)
}

#[rstest]
#[case::silence("", 10)]
#[case::half_a_head("GET /short HTTP/1.1\r\nHost: lo", 10)]
#[case::no_next_request("GET /short HTTP/1.1\r\nHost: localhost\r\n\r\n", 10)]
#[case::half_a_body("POST /short HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf", 0)]
#[tokio::test(start_paused = true)]
async fn a_connection_on_which_no_request_comes_is_closed(#[case] sent: &str, #[case] seconds: u64) {
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    let (mut client, connections) = client(sent, &mut tasks).await;
    // An error means the same as an end: the connection is closed.
    drop(client.read_to_end(&mut Vec::new()).await);
    assert_eq!(begin.elapsed().as_secs(), seconds);
    assert_eq!(connections.counts(), Counts::default());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_read_holds_its_connection_for_a_minute_and_is_counted() {
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    let request = "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (_client, connections) = client(request, &mut tasks).await;
    while connections.counts().cut(CutReason::TooSlow) == 0 {
        sleep(Duration::from_millis(100)).await;
    }
    let longest = MAX_CONNECTION_AGE + LAST_RESPONSE_TIMEOUT;
    assert!(begin.elapsed() >= longest && begin.elapsed() < longest + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_request_after_request_is_closed_between_two_of_them() {
    let mut tasks = JoinSet::new();
    let (address, connections, _stopping) = server(&mut tasks).await;
    let begin = Instant::now();
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut answers = 0;
    loop {
        if client
            .write_all(b"GET /short HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .is_err()
        {
            break;
        }
        let mut answer = vec![0; 1000];
        match client.read(&mut answer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => assert!(answer[..read].ends_with(b"short")),
        }
        answers += 1;
        sleep(Duration::from_secs(1)).await;
    }
    assert!(
        begin.elapsed() >= MAX_CONNECTION_AGE
            && begin.elapsed() <= MAX_CONNECTION_AGE + Duration::from_secs(2)
    );
    assert!(answers >= 29, "{answers}");
    assert_eq!(connections.counts().cut(CutReason::TooSlow), 0);
}

#[tokio::test]
async fn at_the_end_a_response_is_finished_and_nobody_is_waited_for_who_stalls() {
    let mut tasks = JoinSet::new();
    let (address, _, stopping) = server(&mut tasks).await;
    let mut stalled = TcpStream::connect(address).await.unwrap();
    stalled
        .write_all(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    stalled.read_exact(&mut [0; 100]).await.unwrap();
    stopping.cancel();
    let begin = Instant::now();
    tasks.join_all().await;
    assert!(begin.elapsed() < END_TIMEOUT + Duration::from_secs(2));
    assert!(TcpStream::connect(address).await.is_err());
}
