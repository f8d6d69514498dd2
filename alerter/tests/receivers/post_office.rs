//! A mail server that knows just enough: EHLO, STARTTLS, AUTH PLAIN, one mail a connection. It notes what was said to it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What the server offers, and how it answers a mail.
#[derive(Clone)]
pub struct Manners {
    /// TLS after STARTTLS.
    pub starttls: Option<TlsAcceptor>,
    /// TLS from the first byte.
    pub tls: Option<TlsAcceptor>,
    /// To RCPT.
    pub recipient: &'static str,
    /// To the end of the mail.
    pub mail: &'static str,
}

impl Manners {
    /// Without encryption, it takes everything.
    pub fn open() -> Manners {
        Manners { starttls: None, tls: None, recipient: "250 ok", mail: "250 2.0.0 queued as 4711" }
    }
}

/// The server. It ends when it is dropped.
pub struct PostOffice {
    heard: Arc<Mutex<Vec<String>>>,
    pub port: u16,
    _server: JoinSet<()>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl PostOffice {
    pub async fn open(manners: Manners) -> PostOffice {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mut server, notes) = (JoinSet::new(), Arc::clone(&heard));
        server.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Who hangs up, or does not trust us, is gone.
                let _ = serve(Box::new(stream), &manners, &notes).await;
            }
        });
        PostOffice { heard, port, _server: server }
    }

    /// Every line that was said to it, mails included; `tls` where that began.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(stream: Box<dyn Stream>, manners: &Manners, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let note = |line: &str| heard.lock().unwrap().push(line.to_owned());
    let mut stream = BufReader::new(match &manners.tls {
        None => stream,
        Some(acceptor) => {
            let stream: Box<dyn Stream> = Box::new(acceptor.accept(stream).await?);
            note("tls");
            stream
        }
    });
    let mut secure = manners.tls.is_some();
    stream.write_all(b"220 post.test ready\r\n").await?;
    while let Some(line) = read(&mut stream).await? {
        note(&line);
        let answer = match line.split(' ').next().unwrap_or_default() {
            "EHLO" if manners.starttls.is_some() && !secure => "250-post.test\r\n250 STARTTLS",
            "EHLO" => "250-post.test\r\n250 AUTH PLAIN LOGIN",
            "STARTTLS" => {
                stream.write_all(b"220 go ahead\r\n").await?;
                let acceptor = manners.starttls.clone().unwrap();
                stream = BufReader::new(Box::new(acceptor.accept(stream.into_inner()).await?));
                secure = true;
                note("tls");
                continue;
            }
            "AUTH" => "235 welcome",
            "RCPT" => manners.recipient,
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await?;
                while let Some(line) = read(&mut stream).await?.filter(|line| line != ".") {
                    note(&line);
                }
                manners.mail
            }
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

async fn read(stream: &mut BufReader<Box<dyn Stream>>) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await?;
    Ok((read > 0).then(|| line.trim_end().to_owned()))
}
