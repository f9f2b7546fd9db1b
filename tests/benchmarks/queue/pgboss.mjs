// pg-boss by its fetch and complete calls, many jobs in each and several in flight: faster than its own work loop.
import pg from "pg";

const module = await import("pg-boss");
const PgBoss = module.PgBoss ?? module.default;
const [mode, connectionString, number] = process.argv.slice(2);
const N = Number(number);
const now = () => Number(process.hrtime.bigint()) / 1e9;
const boss = new PgBoss({ connectionString, max: 16, supervise: false, schedule: false });
boss.on("error", () => {});
await boss.start();
await boss.createQueue("noop");
const batch = Number(process.env.BATCH ?? 1000);
if (mode === "drain") {
  const at = now();
  for (let from = 0; from < N; from += 10000) {
    const jobs = Array.from({ length: Math.min(10000, N - from) }, (_, i) => ({ name: "noop", data: { id: from + i } }));
    if (module.PgBoss) await boss.insert("noop", jobs.map(({ data }) => ({ data })));
    else await boss.insert(jobs);
  }
  console.log(JSON.stringify({ event: "enqueued", seconds: now() - at }));
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query("vacuum analyze");
  await client.end();
  const cpu = process.cpuUsage();
  const began = now();
  const loop = async () => {
    for (;;) {
      const jobs = await boss.fetch("noop", { batchSize: batch });
      if (!jobs || jobs.length === 0) return;
      await boss.complete("noop", jobs.map((job) => job.id));
    }
  };
  await Promise.all(Array.from({ length: Number(process.env.LOOPS ?? 3) }, loop));
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({ event: "drained", seconds: now() - began, cpu_seconds: (used.user + used.system) / 1e6, rss: process.memoryUsage().rss }));
}
process.exit(0);
