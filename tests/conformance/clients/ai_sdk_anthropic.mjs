import { createAnthropic } from "@ai-sdk/anthropic";
import { run } from "./ai_sdk.mjs";

await run(createAnthropic({ baseURL: `${process.env.GATEWAY}/v1`, apiKey: "none" })("auto"));
