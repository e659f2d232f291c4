"""The web site of 71_paged_download.c and 72_picture_download.c: nginx, with a configuration of its own
in a folder that goes with it, on a port that nobody has. A page takes it half a second.

Prints its port, and ends when its stdin does. Ends with 77 where there is no nginx that can sleep
(Debian's nginx-light).
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

CONFIG = """
load_module {modules}/ngx_http_echo_module.so;
daemon off;
worker_processes 1;
pid nginx.pid;
error_log errors;
events {{ }}
http {{
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp;
    scgi_temp_path temp; uwsgi_temp_path temp;
    server {{
        listen 127.0.0.1:{port};
        location = /timeline {{ echo_sleep 0.5; echo_exec /files/timeline-$arg_page.json; }}
        location = /photos {{ echo_sleep 0.5; echo_exec /files/photos-$arg_page.html; }}
        location /files/ {{ root .; }}
    }}
}}
"""


def write_pages(folder):
    os.mkdir(f"{folder}/files")
    for page in range(1, 11):
        reposts = [{"id": 1000 * page + i, "text": f"repost {i} of page {page}"} for i in range(200)]
        with open(f"{folder}/files/timeline-{page}.json", "w") as file:
            json.dump({"total_number": 2000, "reposts": reposts}, file)
        names = [f"{page}-{i}" for i in range(4)]
        with open(f"{folder}/files/photos-{page}.html", "w") as file:
            for name in names:
                file.write(f'<div class="item"><img src="/files/{name}.jpg" title="{name}"></div>\n')
        for name in names:
            with open(f"{folder}/files/{name}.jpg", "wb") as file:
                file.write(b"\xff\xd8\xff\xe0" + name.encode() * 5000)


os.environ["PATH"] += ":/usr/sbin"
nginx = shutil.which("nginx")
about = nginx and subprocess.run([nginx, "-V"], capture_output=True, text=True).stderr
modules = about and re.search(r"--modules-path=(\S+)", about)
if not modules or not os.path.exists(f"{modules[1]}/ngx_http_echo_module.so"):
    sys.exit(77)
with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
    port = listener.getsockname()[1]
    os.chmod(folder, 0o755)  # started by root nginx reads as nobody
    write_pages(folder)
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write(CONFIG.format(modules=modules[1], port=port))
    inherited = {**os.environ, "NGINX": f"{listener.fileno()};"}  # it listens already
    server = subprocess.Popen([nginx, "-p", folder, "-c", "nginx.conf"], env=inherited,
                              stderr=subprocess.DEVNULL, pass_fds=[listener.fileno()])
    print(port, flush=True)
    sys.stdin.read()
    server.terminate()
    server.wait()
