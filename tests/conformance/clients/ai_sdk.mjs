// Vercel's AI SDK, whatever the provider package: four exercises, each printing one JSON object.
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const weather = (seen) => ({
  get_weather: tool({
    description: "The weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async (input) => {
      seen.push({ name: "get_weather", arguments: input });
      return { celsius: 4 };
    },
  }),
});

const EXERCISES = {
  chat: async (model) => {
    const { text, usage } = await generateText({ model, prompt: "Say hello.", maxRetries: 0 });
    return { text, n_output_tokens: usage.outputTokens };
  },
  stream: async (model) => {
    const result = streamText({ model, prompt: "Say hello.", maxRetries: 0, onError: ({ error }) => { throw error; } });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    const usage = await result.usage;
    return { text: pieces.join(""), n_pieces: pieces.length, n_output_tokens: usage.outputTokens };
  },
  tools: async (model) => {
    const seen = [];
    const { text } = await generateText({
      model, prompt: "What is the weather in Oslo?", tools: weather(seen), stopWhen: stepCountIs(3), maxRetries: 0,
    });
    return { ...seen[0], text };
  },
  stream_tools: async (model) => {
    const seen = [];
    const result = streamText({
      model, prompt: "What is the weather in Oslo?", tools: weather(seen), stopWhen: stepCountIs(3), maxRetries: 0,
      onError: ({ error }) => { throw error; },
    });
    return { text: await result.text, ...seen[0] };
  },
  structured: async (model) => {
    const { output } = await generateText({
      model, prompt: "Extract the name and age of Ann, who is 34.", maxRetries: 0,
      output: Output.object({ schema: z.object({ name: z.string(), age: z.number() }) }),
    });
    return output;
  },
};

export const run = async (model) => console.log(JSON.stringify(await EXERCISES[process.argv[2]](model)));
