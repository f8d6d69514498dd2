// Publishes 100 request events as JSON: node publish.js BROKERS TOPIC
const {randomUUID} = require('node:crypto');
const {CompressionTypes, Kafka, Partitioners} = require('kafkajs');

const [brokers, topic] = process.argv.slice(2);
const producer = new Kafka({clientId: 'shop', brokers: brokers.split(',')}).producer({
  idempotent: true, // acks=all with it
  createPartitioner: Partitioners.DefaultPartitioner, // murmur2; LegacyPartitioner is another
});

const event = () => ({
  event_id: randomUUID(),
  time: new Date().toISOString(),
  service: 'shop',
  endpoint: '/orders',
  method: 'POST',
  status_code: 201,
  latency_ms: 12.5,
  attributes: {region: 'eu-central', retries: 0},
});

async function main() {
  await producer.connect();
  const events = Array.from({length: 100}, event);
  const messages = events.map((event) => ({key: event.event_id, value: JSON.stringify(event)}));
  // Throws when a batch was not delivered: the same messages may be sent again, within two minutes.
  await producer.send({topic, messages, compression: CompressionTypes.GZIP});
  await producer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
