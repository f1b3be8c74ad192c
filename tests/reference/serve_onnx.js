// tests/reference: how fast onnxruntime serves the graphs that serve_torch.py left in a folder, for the ratios of `make bench`.
// node serve_onnx.js FOLDER [CALLS [PASSES]], with onnxruntime-node where node finds it (NODE_PATH). One JSON object per line;
// status 77, with a line that says so, where it is not installed. A call is awaited before the next begins.
'use strict'
const fs = require('fs')
const path = require('path')

let ort
try {
    ort = require('onnxruntime-node')
} catch (missing) {
    console.error('bench: no onnxruntime-node to compare with (' + String(missing.message).split('\n')[0] + ')')
    process.exit(77)
}
const version = ort.env.versions.node || ort.env.versions.common
const LENGTH = 200, BEST = 10, BATCH = 128
const [folder, calls = '10000', passes = '5'] = process.argv.slice(2)

function integers(name) {
    const bytes = fs.readFileSync(path.join(folder, name))
    return new BigInt64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

const windows = integers('windows.i64'), best = integers('best.i64')
const users = windows.length / LENGTH
const full = []
for (let u = 0; u < users; u++) if (windows[u * LENGTH] !== 0n) full.push(u)

function open(variant, threads) {
    return ort.InferenceSession.create(path.join(folder, variant + '.onnx'), {
        intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all'
    })
}

function feed(first, n) {
    return { windows: new ort.Tensor('int64', windows.subarray(first * LENGTH, (first + n) * LENGTH), [n, LENGTH]) }
}

// Share of the library's ten that are among the graph's, for n users of one call.
async function agreement(session, first, n) {
    const found = (await session.run(feed(first, n))).best.data
    let same = 0
    for (let u = 0; u < n; u++) {
        const theirs = new Set(found.slice(u * BEST, (u + 1) * BEST))
        for (let i = 0; i < BEST; i++) same += theirs.has(best[(first + u) * BEST + i])
    }
    return same / (n * BEST)
}

async function agreementOfOnes(session) {
    const some = full.slice(0, BATCH)
    let sum = 0
    for (const u of some) sum += await agreement(session, u, 1)
    return sum / some.length
}

async function timed(session, inputs) {
    const start = process.hrtime.bigint()
    await session.run(inputs)
    return Number(process.hrtime.bigint() - start) * 1e-9
}

async function coldSeconds(session) {
    const seconds = []
    for (let i = -Math.floor(calls / 10); i < calls; i++) {
        const took = await timed(session, feed(full[Math.abs(i) % full.length], 1))
        if (i >= 0) seconds.push(took)
    }
    return seconds
}

async function batchSeconds(session) {
    const seconds = []
    for (let pass = 0; pass < passes; pass++) {
        let took = 0
        for (let u = 0; u < users; u += BATCH) took += await timed(session, feed(u, Math.min(BATCH, users - u)))
        seconds.push(took)
    }
    return seconds
}

async function measure(variant, threads) {
    const session = await open(variant, threads), one = variant.startsWith('cold')
    const same = one ? await agreementOfOnes(session) : await agreement(session, 0, Math.min(BATCH, users))
    const seconds = (one ? await coldSeconds(session) : await batchSeconds(session)).sort((a, b) => a - b)
    const n = seconds.length, each = one ? 1 : users
    const median = n % 2 ? seconds[(n - 1) / 2] : (seconds[n / 2 - 1] + seconds[n / 2]) / 2
    console.log(JSON.stringify({
        bench: 'peer', name: 'onnx-' + variant, version, threads, users: each, calls: n, p50_ms: +(1e3 * median).toFixed(4),
        p99_ms: +(1e3 * seconds[Math.floor(n * 99 / 100)]).toFixed(4), users_per_second: +(each / median).toFixed(1),
        agreement: +same.toFixed(4)
    }))
}

async function main() {
    for (const variant of ['cold', 'cold-newest']) await measure(variant, 1)
    for (const variant of ['batch', 'batch-newest']) await measure(variant, 2)
}

main().catch((problem) => { console.error('bench: ' + problem.message); process.exit(1) })
