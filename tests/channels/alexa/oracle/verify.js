// Asks Amazon's own verifier (ask-sdk-express-adapter) of each request on a line of its own; answers in a word.
//
// In: {"url", "signature", "body", "chain", "roots"}.  Out: {"accepted", "why"}.  What its network would bring is given
// with the request, and what node trusts is taken from there too; everything else is the adapter's.
"use strict";

const readline = require("node:readline");
const { SkillRequestSignatureVerifier, TimestampVerifier } = require("ask-sdk-express-adapter");
const helper = require("ask-sdk-express-adapter/dist/verifier/helper");

let roots = [];
const storeOf = helper.generateCAStore;
helper.generateCAStore = () => storeOf(roots);

async function judge(asked) {
  roots = asked.roots;
  // A new one each time: it keeps chains by their addresses.
  const verifier = new SkillRequestSignatureVerifier();
  verifier._getCertChainByUrl = async () => asked.chain;
  const headers = { "signaturecertchainurl": asked.url, "signature-256": asked.signature };
  await verifier.verify(asked.body, headers);
  await new TimestampVerifier().verify(asked.body);
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  let told = { accepted: true, why: "" };
  try {
    await judge(JSON.parse(line));
  } catch (error) {
    told = { accepted: false, why: String(error.message || error) };
  }
  process.stdout.write(JSON.stringify(told) + "\n");
});
