import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { run } from "./ai_sdk.mjs";

const provider = createOpenAICompatible({
  name: "pointsman", baseURL: `${process.env.GATEWAY}/v1`, apiKey: "none", supportsStructuredOutputs: true, includeUsage: true,
});
await run(provider.chatModel("auto"));
