// The events in single-object encoding, by Node's avsc: library, version, event, hex.
// It computes no CRC-64-AVRO, so the header is the constant of docs/publishing.md.
const fs = require('node:fs');
const avsc = require('avsc');
const {version} = require('avsc/package.json');

const HEADER = Buffer.from('c3013c08637d05a2728f', 'hex');
const type = avsc.Type.forSchema(JSON.parse(fs.readFileSync(process.argv[2], 'utf8')));
const events = JSON.parse(fs.readFileSync(process.argv[3], 'utf8'));

events.forEach((event, number) => {
  const message = Buffer.concat([HEADER, type.toBuffer(event)]);
  console.log(['avsc (npm)', version, number, message.toString('hex')].join('\t'));
});
