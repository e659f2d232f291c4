/* kin.h - all of kin. Each room has a header of its own, too: <kin/queue.h> and so on. */
#ifndef KIN_H
#define KIN_H

#include <kin/base.h>
#include <kin/collection.h>
#include <kin/condition.h>
#include <kin/conn.h>
#include <kin/domain.h>
#include <kin/listener.h>
#include <kin/manager.h>
#include <kin/obj.h>
#include <kin/pickle.h>
#include <kin/pool.h>
#include <kin/process.h>
#include <kin/queue.h>
#include <kin/share.h>
#include <kin/subprocess.h>
#include <kin/sync.h>
#include <kin/wait.h>

#endif
