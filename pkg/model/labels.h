/* SPDX-License-Identifier: Apache-2.0 */
/* Part of model.h: the labels, annotations and finalizers that are ours. */
#ifndef PS_MODEL_LABELS_H
#define PS_MODEL_LABELS_H

#define MODEL_LABEL_INSTALLATION "penstock.dev/installation"
#define MODEL_LABEL_OWNER_UID    "penstock.dev/owner-uid"
#define MODEL_LABEL_APP          "penstock.dev/app"
#define MODEL_LABEL_REVISION     "penstock.dev/revision"
#define MODEL_LABEL_REGISTRY     "penstock.dev/app-registry"
#define MODEL_LABEL_ACCOUNT_UID  "penstock.dev/account-uid" /* of a child in another cluster */
#define MODEL_LABEL_CREDENTIALS  "penstock.dev/credentials" /* "true": an account's Secret */
#define MODEL_ANNOTATION_OWNER   "penstock.dev/owner"       /* <kind>/<namespace>/<name> */
#define MODEL_ANNOTATION_REDEPLOY                                                                  \
    "penstock.dev/redeploy" /* on a stream: read registry and account anew */
#define MODEL_ANNOTATION_CLUSTERS                                                                  \
    "penstock.dev/clusters" /* on a stream or launch: remote accounts where children may be */
#define MODEL_ANNOTATION_SUSPENDED   "penstock.dev/replicas-before-suspend"
#define MODEL_ANNOTATION_BODY_HASH   "penstock.dev/body-hash"  /* of a child: what we wrote */
#define MODEL_ANNOTATION_FIXED_HASH  "penstock.dev/fixed-hash" /* … of what cannot be changed */
#define MODEL_ANNOTATION_CORRECTED   "penstock.dev/corrected" /* … "<unix ms>/<times in a row>" */
#define MODEL_ANNOTATION_SPEC_HASH   "penstock.dev/spec-hash"
#define MODEL_ANNOTATION_RENDER_HASH "penstock.dev/render-hash"
#define MODEL_ANNOTATION_MANIFEST    "penstock.dev/manifest"
#define MODEL_ANNOTATION_DEADLINE                                                                  \
    "penstock.dev/active-deadline-seconds"              /* of a Job: the launch's */
#define MODEL_ANNOTATION_STOPPED "penstock.dev/stopped" /* of a Job: suspended for good */
#define MODEL_LABEL_ATTEMPT      "penstock.dev/attempt" /* of a Job: its number */
#define MODEL_FINALIZER          "penstock.dev/cleanup"
#define MODEL_FINALIZER_ATTEMPT  "penstock.dev/attempt" /* a Job's, until its end is recorded */

#endif
