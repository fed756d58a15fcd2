"""Each header compiles alone and twice, with both compilers."""
import concurrent.futures
import subprocess

from common import BUILD, SOURCE, product_files, report

FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-DLINKBELL_VERSION=\"0\"", "-DOPENSSL_API_COMPAT=0x10101000L",
         "-I", str(SOURCE), "-I", str(BUILD / "generated"), "-fsyntax-only", "-Werror", "-Wall", "-x", "c", "-"]


def check(job):
    compiler, name = job
    text = f'#include "{name}"\n#include "{name}"\n'
    done = subprocess.run([compiler, *FLAGS], input=text, capture_output=True, text=True)
    return f"{compiler}: {name}: {done.stderr[:300]}" if done.returncode else None


jobs = [(compiler, str(path.relative_to(SOURCE))) for path in product_files(".h")
        for compiler in ("gcc", "clang")]
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    report([fault for fault in pool.map(check, jobs) if fault])
