// Drives needtoknow with @grpc/grpc-js: `node client.js COMMAND`, one JSON object on standard input, one on standard output.
'use strict';

const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const input = JSON.parse(fs.readFileSync(0, 'utf8'));
const packages = grpc.loadPackageDefinition(loader.loadSync(
	['sharing', 'delivery', 'audit', 'registry'].map((name) => `needtoknow/v1/${name}.proto`),
	{ includeDirs: [input.proto], keepCase: true, longs: String, enums: String, defaults: true, oneofs: true }));
const v1 = packages.needtoknow.v1;

function client(service, party) {
	const read = (file) => fs.readFileSync(file);
	const credentials = grpc.credentials.createSsl(read(input.ca), read(party.key), read(party.certificate));
	return new v1[service](input.address, credentials);
}

function unary(service, party, method, request) {
	return new Promise((resolve, reject) => {
		const deadline = new Date(Date.now() + 10000);
		client(service, party)[method](request, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
	});
}

// An error as data: what a JavaScript caller sees of it.
async function outcome(promise) {
	try {
		return { answer: await promise };
	} catch (error) {
		const details = error.metadata ? error.metadata.get('grpc-status-details-bin') : [];
		return { code: error.code, message: error.details, details: details.map((each) => each.toString('base64')) };
	}
}

// Shares, and receives until the delivery is there and acknowledged.
async function receive() {
	const shared = await unary('SharingService', input.booking, 'Share', input.share);
	const result = { shared, events: [] };
	const stream = client('DeliveryService', input.recipient).Receive({ max_unacknowledged: 4 }, { deadline: new Date(Date.now() + 20000) });
	for await (const event of stream) {
		result.events.push(event);
		if (event.event === 'delivery') {
			result.acknowledged = await unary('DeliveryService', input.recipient, 'Acknowledge',
				{ delivery_ids: [event.delivery.delivery_id] });
			break;
		}
	}
	return result;
}

const commands = {
	call: () => outcome(unary(input.service, input.caller, input.method, input.request)),
	receive,
	parallel: () => Promise.all(input.requests.map((request) => outcome(unary('SharingService', input.booking, 'Share', request)))),
};

commands[process.argv[2]]().then(
	(result) => {
		process.stdout.write(JSON.stringify(result), () => process.exit(0));
	},
	(error) => {
		process.stderr.write(`${path.basename(__filename)}: ${error.stack}\n`, () => process.exit(1));
	});
