import { createOpenAI } from "@ai-sdk/openai";
import { run } from "./ai_sdk.mjs";

await run(createOpenAI({ baseURL: `${process.env.GATEWAY}/v1`, apiKey: "none" })("auto"));
