//! alertmanager-irc-relay tells a channel which SLO it is, and that it fires, and that it is over.

use std::sync::{Arc, Mutex};

use slipstream_testkit::services::ports;
use slipstream_testkit::tools;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::program::Program;
use crate::world::{Health, World};
use crate::{SEVERITIES, installed, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_hears_which_slo_it_is_and_that_it_is_over() {
    let relay = installed(tools::irc_relay).await;
    let chat = Chat::open().await;
    let port = ports::free().unwrap();
    let settings = format!(
        "http_host: 127.0.0.1\nhttp_port: {port}\nirc_host: 127.0.0.1\nirc_port: {}\nirc_use_ssl: no\n\
         irc_nickname: slipstream\nirc_realname: slipstream\nirc_channels: [{{name: '#slos'}}]\n",
        chat.port
    );
    let _relay = Program::start(&relay, &["--config", "irc.yml"], &[("irc.yml", &settings)], port).await;
    until("the relay joins", async || chat.joined(), |joined| *joined).await;
    let url = format!("http://127.0.0.1:{port}/slos");
    let world = World::new(&format!("  - {{name: chat, url: '{url}', severities: {SEVERITIES}}}\n"), &[]).await;
    let line = |slo: &str, what: &str| format!("Alert SLOBurnRate on {slo}-availability/answered is {what}");
    let (fires, over) = (line("payment", "firing"), line("payment", "resolved"));
    world.payment_is(Health::Ailing);
    chat.hears(&[&fires]).await;
    // One message: the ticket is over, the page fires.
    world.payment_is(Health::Down);
    chat.hears(&[&fires, &over, &fires]).await;
    world.checkout_is(Health::Ailing);
    chat.hears(&[&fires, &over, &fires, &line("checkout", "firing")]).await;
    world.payment_is(Health::Well);
    chat.hears(&[&fires, &over, &fires, &line("checkout", "firing"), &over]).await;
    world.ends_well().await;
}

/// An IRC server for one, with one channel.
struct Chat {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl Chat {
    async fn open() -> Chat {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, heard) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
        let (mut server, notes) = (JoinSet::new(), Arc::clone(&heard));
        server.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Who hangs up comes again.
                let _ = serve(stream, &notes).await;
            }
        });
        Chat { port, heard, _server: server }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn joined(&self) -> bool {
        self.heard().iter().any(|line| line.starts_with("JOIN #slos"))
    }

    /// Waits until the channel has been told exactly this.
    async fn hears(&self, wanted: &[&String]) {
        let said = |line: &String| line.strip_prefix("NOTICE #slos :").map(str::to_owned);
        let right = |heard: &Vec<String>| heard.iter().filter_map(said).eq(wanted.iter().map(|line| (*line).clone()));
        until(&format!("{wanted:?}"), async || self.heard(), right).await;
    }
}

async fn serve(stream: TcpStream, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let said = line.trim_end();
        heard.lock().unwrap().push(said.to_owned());
        let (command, rest) = said.split_once(' ').unwrap_or((said, ""));
        let answer = match command {
            "USER" => ":irc.test 001 slipstream :Welcome\r\n".to_owned(),
            "PING" => format!(":irc.test PONG irc.test {rest}\r\n"),
            "JOIN" => format!(":slipstream!s@test JOIN {rest}\r\n:irc.test 366 slipstream {rest} :End\r\n"),
            _ => String::new(),
        };
        stream.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}
