/** A door in front of the practice vCenter that makes every machine ask a question until it is answered: vcsim never asks. */
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { X509Certificate } from 'node:crypto';
import { Agent, request } from 'undici';
import type { VCenterConnection } from '../../../domain/ports.ts';
import type { PracticeVCenter } from './practice-vcenter.ts';
import { selfSigned } from './self-signed.ts';

export interface AskingVCenter {
  readonly connection: VCenterConnection;
  /** Bodies of the `AnswerVM` calls so far. */
  readonly answers: readonly string[];
  stop(): Promise<void>;
}

const ANSWERED = `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>
<AnswerVMResponse xmlns="urn:vim25"></AnswerVMResponse></soapenv:Body></soapenv:Envelope>`;

function question(words: string, labels: readonly string[]): string {
  const choices = labels.map(
    (label, key) =>
      `<choiceInfo xsi:type="ElementDescription"><label>${label}</label><summary>${label}</summary><key>${key}</key></choiceInfo>`,
  );
  return `<propSet><name>runtime.question</name>
<val xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="VirtualMachineQuestionInfo">
<id>7</id><text>${words}</text><choice>${choices.join('')}<defaultIndex>0</defaultIndex></choice></val></propSet>`;
}

export async function startAskingVCenter(
  practice: PracticeVCenter,
  words: string,
  labels: readonly string[],
): Promise<AskingVCenter> {
  const answers: string[] = [];
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });

  async function forward(incoming: IncomingMessage, body: string) {
    const { cookie, soapaction, 'content-type': type } = incoming.headers;
    const headers = { ...(cookie && { cookie }), soapaction: String(soapaction), 'content-type': type ?? '' };
    const url = `${practice.url}${incoming.url}`;
    const answer = await request(url, { method: 'POST', dispatcher, headers, body });
    const xml = await answer.body.text();
    const isAsked = body.includes('RetrievePropertiesEx') && body.includes('runtime.question');
    return {
      status: answer.statusCode,
      cookie: answer.headers['set-cookie'],
      xml:
        isAsked && answers.length === 0
          ? xml.replace('</objects>', `${question(words, labels)}</objects>`)
          : xml,
    };
  }

  const { key, cert } = await selfSigned();
  const server = createServer({ key, cert }, (incoming, outgoing) => {
    void (async () => {
      const body = await text(incoming);
      if (body.includes('AnswerVM')) {
        answers.push(body);
        outgoing.writeHead(200, { 'content-type': 'text/xml' }).end(ANSWERED);
        return;
      }
      const { status, cookie, xml } = await forward(incoming, body);
      const headers = { 'content-type': 'text/xml', ...(cookie && { 'set-cookie': cookie }) };
      outgoing.writeHead(status, headers).end(xml);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const sha256 = new X509Certificate(cert).fingerprint256;
  return {
    connection: {
      ...practice.connection,
      url: `https://127.0.0.1:${port}`,
      certificate: { sha256, pem: cert },
    },
    answers,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await dispatcher.close();
    },
  };
}
