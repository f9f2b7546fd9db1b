// Graphile Worker with the settings of its own performance test: local queue, completions in batches.
import { run, runMigrations, makeWorkerUtils } from "graphile-worker";
import pg from "pg";

const [mode, connectionString, number] = process.argv.slice(2);
const N = Number(number);
const pool = new pg.Pool({ connectionString, max: 16 });
pool.on("error", () => {});
const starts = {};
let done = 0;
let finish;
const finished = new Promise((resolve) => (finish = resolve));
const quiet = { logFactory: () => () => {} };
const { Logger } = await import("graphile-worker");
const logger = new Logger(quiet.logFactory);
const now = () => Number(process.hrtime.bigint()) / 1e9;

const utils = await makeWorkerUtils({ pgPool: pool, logger });
await utils.migrate();
if (mode === "drain") {
  const at = now();
  await pool.query(
    `select graphile_worker.add_jobs(array(select json_populate_record(null::graphile_worker.job_spec,
       json_build_object('identifier', 'noop', 'payload', json_build_object('id', i))) from generate_series(1, ${N}) i))`,
  );
  console.log(JSON.stringify({ event: "enqueued", seconds: now() - at }));
  await pool.query("vacuum analyze graphile_worker._private_jobs");
}
const taskList = {
  noop: mode === "drain"
    ? () => { if (++done === N) finish(); }
    : (payload) => { starts[payload.id] = now(); },
};
const cpu = process.cpuUsage();
const began = now();
const runner = await run({
  pgPool: pool, taskList, logger, noHandleSignals: true,
  preset: { worker: {
    concurrentJobs: Number(process.env.CONCURRENCY ?? (mode === "drain" ? 24 : 10)), maxPoolSize: 16, pollInterval: 2000,
    ...(mode === "drain" ? { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } : {}),
  } },
});
if (mode === "drain") {
  await finished;
  for (;;) { // until the last completion is in the table
    const { rows } = await pool.query("select exists (select from graphile_worker._private_jobs) as left");
    if (!rows[0].left) break;
  }
  const seconds = now() - began;
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({ event: "drained", seconds, cpu_seconds: (used.user + used.system) / 1e6, rss: process.memoryUsage().rss }));
} else {
  console.log(JSON.stringify({
    event: "ready", insert: `select graphile_worker.add_job('noop', json_build_object('id', %s::int))`,
  }));
  await new Promise((resolve) => process.stdin.once("data", resolve));
  console.log(JSON.stringify({ event: "starts", starts, rss: process.memoryUsage().rss }));
}
process.exit(0);
