// Calls the echo server with @grpc/grpc-js: where it is and with what certificate on standard input, what came on standard output.
'use strict';

const fs = require('fs');
const grpc = require(require.resolve('@grpc/grpc-js', { paths: [process.cwd()] }));

const party = JSON.parse(fs.readFileSync(0, 'utf8'));
const same = (bytes) => bytes;
const method = (name, requestStream, responseStream) => ({
	path: `/transport.Echo/${name}`, requestStream, responseStream,
	requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
});
const Echo = grpc.makeGenericClientConstructor({
	once: method('Once', false, false),
	many: method('Many', false, true),
	chat: method('Chat', true, true),
	refuse: method('Refuse', false, false),
	never: method('Never', false, false),
	nothing: method('Nothing', false, false),
}, 'transport.Echo');
const credentials = grpc.credentials.createSsl(...[party.ca, party.key, party.certificate].map((file) => fs.readFileSync(file)));
const client = new Echo(party.address, credentials);

const unary = (name, message, milliseconds = 10000) => new Promise((resolve, reject) => {
	client[name](message, { deadline: Date.now() + milliseconds }, (error, answer) => (error ? reject(error) : resolve(answer)));
});
const outcome = (promise) => promise.then((answer) => ({ answer }), (error) => error);
const read = (stream) => new Promise((resolve, reject) => {
	const messages = [];
	stream.on('data', (message) => messages.push(message)).on('end', () => resolve(messages)).on('error', reject);
});

async function main() {
	const result = {};
	result.once = (await unary('once', Buffer.from('bonjour'))).toString();
	result.large = (await unary('once', Buffer.alloc(1 << 20, 7))).length;
	const many = await read(client.many(Buffer.from('500 1000')));
	result.many = [many.length, many.reduce((sum, message) => sum + message.length, 0)];
	const chat = client.chat();
	const answers = read(chat);
	['a', 'b', 'c'].forEach((text) => chat.write(Buffer.from(text)));
	chat.end();
	result.chat = (await answers).map((message) => message.toString());
	const refused = await outcome(unary('refuse', Buffer.alloc(0)));
	result.refused = [refused.code, refused.details, refused.metadata.get('grpc-status-details-bin').length];
	result.unknown = (await outcome(unary('nothing', Buffer.alloc(0)))).code;
	result.late = (await outcome(unary('never', Buffer.alloc(0), 200))).code;
	client.close();
	process.stdout.write(JSON.stringify(result));
}

main().catch((error) => {
	process.stderr.write(`${error.stack}\n`);
	process.exit(1);
});
