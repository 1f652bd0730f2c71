// SPDX-License-Identifier: Apache-2.0
// usage: node grade_across_a_cut.js files|reflection PORT PROTO_DIR STANDARD_PROTO_DIR
//
// A grader in JavaScript, on the public @grpc/grpc-js, that knows the contract from the proto files or from the server's reflection
// alone: logs in, submits, streams leases, loses its connection in the middle, comes back with what it holds, completes. Prints "fine".
'use strict';

const assert = require('node:assert').strict;
const net = require('node:net');
const path = require('node:path');
// Where package.json was installed: NODE_PATH names it.
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const PATIENCE_MS = 30000;
const SUBMISSIONS = 3;
const ERRORS = ['google.rpc.Status', 'google.rpc.ErrorInfo']; // what tools ask for when an error has details
const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };

const deadline = () => new Date(Date.now() + PATIENCE_MS);
const credentials = grpc.credentials.createInsecure();

// ---- a link that can be cut ----

// As a cable is: both sides lose what they had, at once.
class UnreliableLink {
  constructor(port) {
    this.sockets = new Set();
    this.server = net.createServer((client) => {
      const server = net.connect(port, '127.0.0.1');
      for (const [from, to] of [[client, server], [server, client]]) {
        this.sockets.add(from);
        from.on('error', () => {}); // cut
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
    });
  }

  async open() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this.server.address().port;
  }

  cut() {
    assert.ok(this.sockets.size > 0, 'nobody is connected');
    for (const socket of this.sockets) socket.resetAndDestroy();
    this.sockets.clear();
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

// ---- the contract, from files or from the server ----

function standardProtocols(folder) {
  const names = ['grpc/reflection/v1/reflection.proto', 'grpc/reflection/v1alpha/reflection.proto'];
  return grpc.loadPackageDefinition(loader.loadSync(names, { ...OPTIONS, includeDirs: [folder] }));
}

// The answers to these, in their order, on one stream that ends well.
function ask(client, requests) {
  return new Promise((resolve, reject) => {
    const answers = [];
    const stream = client.ServerReflectionInfo({ deadline: deadline() });
    stream.on('data', (answer) => answers.push(answer));
    stream.on('error', reject);
    stream.on('end', () => resolve(answers));
    for (const request of requests) stream.write({ host: 'xqueue', ...request });
    stream.end();
  });
}

// A length as protobuf writes it.
function varint(number) {
  const bytes = [];
  for (; number > 127; number = Math.floor(number / 128)) bytes.push((number % 128) + 128);
  return Buffer.from([...bytes, number]);
}

// All files that the listed services and their errors need, as a FileDescriptorSet: field 1, once for each.
async function reflectedSet(client) {
  const [listed] = await ask(client, [{ list_services: '' }]);
  const names = listed.list_services_response.service.map((service) => service.name);
  const answers = await ask(client, [...names, ...ERRORS].map((name) => ({ file_containing_symbol: name })));
  const files = new Set();
  for (const answer of answers) {
    for (const file of answer.file_descriptor_response.file_descriptor_proto) files.add(file.toString('latin1'));
  }
  const parts = [...files].map((file) => Buffer.from(file, 'latin1'));
  return Buffer.concat(parts.flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
}

async function contractOf(source, port, protoDir, standardDir) {
  if (source === 'files') {
    const names = ['graders', 'sessions', 'submissions'].map((name) => path.join('xqueue/v1', `${name}.proto`));
    const errors = ['google/rpc/status.proto', 'google/rpc/error_details.proto'];
    return grpc.loadPackageDefinition(loader.loadSync([...names, ...errors], { ...OPTIONS, includeDirs: [protoDir] }));
  }
  const { reflection } = standardProtocols(standardDir).grpc;
  const sets = [];
  for (const version of ['v1', 'v1alpha']) {
    const client = new reflection[version].ServerReflection(`127.0.0.1:${port}`, credentials);
    sets.push(await reflectedSet(client));
    const [nothing] = await ask(client, [{ file_containing_symbol: 'xqueue.v1.Nothing' }]);
    assert.equal(nothing.error_response.error_code, grpc.status.NOT_FOUND);
    client.close();
  }
  assert.deepEqual(sets[0], sets[1]);
  return grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(sets[0], OPTIONS));
}

// ---- calls ----

function call(client, method, request, metadata = new grpc.Metadata()) {
  return new Promise((resolve, reject) => {
    client[method](request, metadata, { deadline: deadline() }, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

async function login(contract, address, user) {
  const sessions = new contract.Sessions(address, credentials);
  const { token } = await call(sessions, 'Login', { user, password: user });
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  sessions.close();
  return metadata;
}

// A stream of leases, message by message.
class Work {
  constructor(client, metadata) {
    this.stream = client.Work(metadata, { deadline: deadline() });
    this.heard = [];
    this.waiting = [];
    const arrive = (what) => (this.waiting.length > 0 ? this.waiting.shift()(what) : this.heard.push(what));
    this.stream.on('data', (message) => {
      if (message.kind !== 'ping' && message.kind !== 'lease_status') arrive(message);
    });
    this.stream.on('error', () => {}); // its status says the same
    this.stream.on('status', (status) => arrive({ kind: 'status', status }));
  }

  say(message) {
    this.stream.write(message);
  }

  async hear(kind) {
    const message = this.heard.length > 0 ? this.heard.shift() : await new Promise((resolve) => this.waiting.push(resolve));
    assert.equal(message.kind, kind, JSON.stringify(message));
    return message[kind];
  }

  async greet(held) {
    this.say({ hello: { grader: 'node', instance: '1', sdk: 'grpc-js', queues: ['calm'], slots: SUBMISSIONS, held } });
    return this.hear('welcome');
  }

  async complete(lease) {
    this.say({ complete: { lease, result: Buffer.from(`result of ${lease.submission_id}`) } });
    const ack = await this.hear('ack');
    assert.equal(ack.outcome, 'ACK_OUTCOME_OK');
    assert.deepEqual(ack.lease, lease);
  }
}

// Takes all of them and renews the first; they are named in the order of their grants.
async function holdLeases(work, ids) {
  const leases = [];
  work.say({ credit: { submissions: ids.length } });
  for (let i = 0; i < ids.length; i++) {
    const grant = await work.hear('grant');
    assert.equal(grant.attempt, 1);
    assert.equal(grant.submission.body.toString(), `body ${ids.indexOf(grant.submission.id)}`);
    leases.push(grant.lease);
    work.say({ accept: { lease: grant.lease } });
  }
  work.say({ heartbeat: { leases: [{ lease: leases[0], progress: { percent: 50, note: 'half' } }] } });
  work.say({ ping: { number: 7 } });
  assert.equal((await work.hear('pong')).number, '7'); // so all of that has been heard
  return leases;
}

// What every public library knows how to read says the same as the trailers that are ours.
function checkDetails(rpc, error, method, reason) {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const status = rpc.Status.deserialize(bytes);
  assert.deepEqual([status.code, status.message], [error.code, error.details]);
  const details = {};
  for (const detail of status.details) {
    const name = detail.type_url.replace('type.googleapis.com/google.rpc.', '');
    details[name] = rpc[name].deserialize(detail.value);
  }
  const { metadata, ...info } = details.ErrorInfo;
  assert.deepEqual(info, { reason, domain: 'xqueue.v1' });
  // protobufjs leaves a map that it knows from a descriptor as the list of entries that it is on the wire.
  assert.deepEqual(Array.isArray(metadata) ? metadata : [{ key: 'method', value: metadata.method }], [{ key: 'method', value: method }]);
  assert.deepEqual(error.metadata.get('xqueue-reason'), [reason]);
  const [retryMs] = error.metadata.get('xqueue-retry-after-ms');
  const delay = details.RetryInfo ? details.RetryInfo.retry_delay : undefined;
  assert.equal(delay ? String(Number(delay.seconds) * 1000 + delay.nanos / 1000000) : undefined, retryMs);
  return retryMs;
}

async function checkErrors(rpc, submissions, lms) {
  await assert.rejects(call(submissions, 'Get', { submission_id: '1099511627776' }, lms), (error) => {
    assert.equal(error.code, grpc.status.NOT_FOUND);
    return checkDetails(rpc, error, 'xqueue.v1.Submissions/Get', 'SUBMISSION_NOT_FOUND') === undefined;
  });
  const fill = async () => {
    for (;;) await call(submissions, 'Submit', { queue: 'small', body: Buffer.from('x') }, lms);
  };
  await assert.rejects(fill(), (error) => {
    assert.equal(error.code, grpc.status.RESOURCE_EXHAUSTED);
    return Number(checkDetails(rpc, error, 'xqueue.v1.Submissions/Submit', 'QUEUE_FULL')) > 0;
  });
}

async function gradeAcrossACut(contract, rpc, port) {
  const link = new UnreliableLink(port);
  const direct = `127.0.0.1:${port}`;
  const submissions = new contract.Submissions(direct, credentials);
  const graders = new contract.Graders(`127.0.0.1:${await link.open()}`, credentials);
  const lms = await login(contract, direct, 'lms');
  const grader = await login(contract, direct, 'grader');
  const ids = [];
  for (let i = 0; i < SUBMISSIONS; i++) {
    const request = { queue: 'calm', header: Buffer.from('h'), body: Buffer.from(`body ${i}`) };
    ids.push((await call(submissions, 'Submit', request, lms)).submission_id);
  }

  let work = new Work(graders, grader);
  let welcome = await work.greet([]);
  assert.deepEqual([welcome.kept, welcome.lost], [[], []]);
  const leases = await holdLeases(work, ids);
  await work.complete(leases[0]);
  link.cut();
  assert.equal((await work.hear('status')).code, grpc.status.UNAVAILABLE);

  await new Promise((resolve, reject) => graders.waitForReady(deadline(), (error) => (error ? reject(error) : resolve())));
  work = new Work(graders, grader);
  const forged = { submission_id: ids[0], lease_key: 'x'.repeat(32) };
  welcome = await work.greet([...leases.slice(1), forged]);
  assert.deepEqual(welcome.kept, leases.slice(1));
  assert.deepEqual(welcome.lost, [{ lease: forged, reason: 'LOST_REASON_STALE' }]);
  for (const lease of leases.slice(1)) await work.complete(lease);
  work.say({ drain: {} });
  assert.equal((await work.hear('status')).code, grpc.status.OK);

  for (const id of ids) {
    const view = await call(submissions, 'Get', { submission_id: id, with_result: true }, lms);
    assert.deepEqual([view.state, view.attempt, view.result.body.toString()], ['SUBMISSION_STATE_GRADED', 1, `result of ${id}`]);
  }
  await checkErrors(rpc, submissions, lms);
  submissions.close();
  graders.close();
  link.close();
}

async function main() {
  const [source, port, protoDir, standardDir] = process.argv.slice(2);
  const contract = await contractOf(source, port, protoDir, standardDir);
  await gradeAcrossACut(contract.xqueue.v1, contract.google.rpc, Number(port));
  console.error('fine');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
