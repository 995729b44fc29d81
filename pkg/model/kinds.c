/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that Penstock reads and writes, in one table. */
#include "model/model.h"

static const struct model_kind_info kinds[] = {
    [MODEL_ACCOUNT] = {MODEL_GROUP, "v1alpha1", "platformaccounts", "PlatformAccount", false},
    [MODEL_STREAM] = {MODEL_GROUP, "v1alpha1", "streamdeployments", "StreamDeployment", true},
    [MODEL_TASK] = {MODEL_GROUP, "v1alpha1", "tasklaunches", "TaskLaunch", true},
    [MODEL_CONFIG_MAP] = {"", "v1", "configmaps", "ConfigMap", true},
    [MODEL_NAMESPACE] = {"", "v1", "namespaces", "Namespace", false},
    [MODEL_DEPLOYMENT] = {"apps", "v1", "deployments", "Deployment", true},
    [MODEL_STATEFUL_SET] = {"apps", "v1", "statefulsets", "StatefulSet", true},
    [MODEL_SERVICE] = {"", "v1", "services", "Service", true},
    [MODEL_REVISION] = {"apps", "v1", "controllerrevisions", "ControllerRevision", true},
    [MODEL_JOB] = {"batch", "v1", "jobs", "Job", true},
    [MODEL_POD] = {"", "v1", "pods", "Pod", true},
    [MODEL_EVENT] = {"events.k8s.io", "v1", "events", "Event", true},
};

_Static_assert(PS_ARRAY_LEN(kinds) == MODEL_KIND_COUNT, "one row for each kind");

const struct model_kind_info *model_kind_info(enum model_kind kind)
{
    return &kinds[kind];
}

bool model_is_workload(enum model_kind kind)
{
    return kind == MODEL_DEPLOYMENT || kind == MODEL_STATEFUL_SET;
}

bool model_is_metadata_only(enum model_kind kind)
{
    return kind == MODEL_SERVICE || kind == MODEL_REVISION || kind == MODEL_EVENT;
}

const char *model_kind_name(enum model_kind kind)
{
    return kinds[kind].kind;
}
